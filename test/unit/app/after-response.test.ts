import { AsyncLocalStorage } from "node:async_hooks";
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";

import { afterResponse, hooksAfterResponses } from "../../../src/app/after-response.ts";
import { GET, Hosted, POST } from "../../support/hosted.ts";
import { listen } from "../../support/node-server.ts";

describe("afterResponse", () => {
  it("calls its hooks one after the other, when the exchange is over", async () => {
    const seen: string[] = [];
    const hosted = Hosted.run((_req, res) => {
      afterResponse(res, async () => {
        seen.push(`first, ${hosted.types.at(-1)}`);
        await sleep(5);
        seen.push("first is over");
      });
      afterResponse(res, () => seen.push("second"));
      res.end("hello");
      seen.push("handler");
    });
    hosted.end();
    await hosted.ended();
    expect(await hooksAfterResponses(1000)).toBe(0);
    expect(seen).toEqual(["handler", "first, end", "first is over", "second"]);
  });

  it("waits for the rest of an upload, without which the web server does not hear of the end", async () => {
    const hook = vi.fn();
    const hosted = Hosted.run((_req, res) => {
      afterResponse(res, hook);
      res.end("early");
    }, POST);
    await hosted.ended();
    expect(await hooksAfterResponses(20)).toBe(1);
    expect(hook).not.toHaveBeenCalled();
    hosted.body("hello");
    hosted.end();
    expect(await hooksAfterResponses(1000)).toBe(0);
    expect(hook).toHaveBeenCalledOnce();
  });

  it("calls a hook where the client has left, where the app has failed, and that comes late", async () => {
    const seen: string[] = [];
    const left = Hosted.run((_req, res) => afterResponse(res, () => seen.push("left")));
    left.send({ type: "abort", code: "CONNECTION_LOST" });
    Hosted.run((_req, res) => {
      afterResponse(res, () => seen.push("failed"));
      throw new Error("failed");
    });
    let response: ServerResponse | undefined;
    const answered = Hosted.run((_req, res) => void (response = res).end());
    answered.end();
    await answered.ended();
    await sleep(5);
    afterResponse(response!, () => seen.push("late"));
    expect(seen).not.toContain("late");
    expect(await hooksAfterResponses(1000)).toBe(0);
    expect(seen.toSorted()).toEqual(["failed", "late", "left"]);
  });

  it("logs what a hook throws or rejects with, and calls the next", async () => {
    const hook = vi.fn();
    const hosted = Hosted.run(
      (_req, res) => {
        afterResponse(res, () => {
          throw new Error("thrown");
        });
        afterResponse(res, async () => await Promise.reject("rejected"));
        afterResponse(res, hook);
        res.end();
      },
      { ...GET, REQUEST_URI: "/a" },
    );
    hosted.end();
    expect(await hooksAfterResponses(1000)).toBe(0);
    expect(hook).toHaveBeenCalledOnce();
    expect(hosted.logged).toEqual([
      expect.stringMatching(/^\[request-1\] GET \/a, after the response: Error: thrown\n/),
      expect.stringMatching(/^\[request-1\] GET \/a, after the response: Error: the app threw 'rejected'/),
    ]);
  });

  it("keeps the context of who asked for it", async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const hosted = Hosted.run((_req, res) => {
      storage.run("inside", () => afterResponse(res, () => seen.push(storage.getStore())));
      res.end();
    });
    hosted.end();
    expect(await hooksAfterResponses(1000)).toBe(0);
    expect(seen).toEqual(["inside"]);
  });

  it("works behind node's own server, where a fault is a warning of the process", async () => {
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const seen: string[] = [];
    const { url } = await listen((_req, res) => {
      afterResponse(res, () => {
        throw new Error("thrown");
      });
      afterResponse(res, () => seen.push(`closed ${res.closed}`));
      res.end("hello");
    });
    expect(await (await fetch(url)).text()).toBe("hello");
    expect(await hooksAfterResponses(1000)).toBe(0);
    expect(seen).toEqual(["closed true"]);
    expect(warned).toHaveBeenCalledWith(expect.objectContaining({ message: "thrown" }));
    warned.mockRestore();
  });
});
