import { describe, expect, it } from "vitest";

import { GET, Hosted, POST } from "../../support/hosted.ts";

const run = (fetch: (request: Request) => Response | Promise<Response>, variables = GET): Hosted =>
  Hosted.run(() => {}, variables, { app: { kind: "fetch", fetch } });

describe("a fetch app", () => {
  it("gets a Request with the URL below the mount and answers with a Response", async () => {
    let request!: Request;
    const hosted = run(
      (received) => {
        request = received;
        return new Response("hi", { status: 201, headers: { "X-A": "1" } });
      },
      { ...GET, SCRIPT_NAME: "/james", PATH_INFO: "/hello", REQUEST_URI: "/james/hello?x=1" },
    );
    await hosted.ended();
    expect([request.method, request.url]).toEqual(["GET", "https://www.example.test/hello?x=1"]);
    expect(request.headers.get("host")).toBe("www.example.test");
    expect([hosted.status, hosted.bodyText, hosted.types]).toEqual([201, "hi", ["head", "body", "end"]]);
    expect(hosted.headText).toMatch(/x-a: 1\r\n/i);
  });

  it("keeps cookies apart", async () => {
    const headers = new Headers([
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
    ]);
    const hosted = run(() => new Response(null, { headers }));
    await hosted.ended();
    expect(hosted.headText.match(/set-cookie: /gi)).toHaveLength(2);
  });

  it("streams the request's body", async () => {
    let text = "";
    const hosted = run(async (request) => {
      text = await request.text();
      return new Response("ok");
    }, POST);
    hosted.body("he");
    await new Promise((resolve) => setImmediate(resolve));
    hosted.body("llo");
    hosted.end();
    await hosted.ended();
    expect(text).toBe("hello");
  });

  it("may ask for several pieces of the body at once", async () => {
    let pieces: string[] = [];
    const hosted = run(async (request) => {
      const reader = request.body!.getReader();
      const read = await Promise.all([reader.read(), reader.read(), reader.read()]);
      pieces = read.map(({ done, value }) => (done ? "end" : Buffer.from(value).toString()));
      return new Response(null);
    }, POST);
    for (const piece of ["he", "llo"]) {
      await new Promise((resolve) => setImmediate(resolve));
      hosted.body(piece);
    }
    hosted.end();
    await hosted.ended();
    expect(pieces).toEqual(["he", "llo", "end"]);
  });

  it("that reads the body too late hears so, and one that has begun goes on after its answer", async () => {
    let late: Promise<string> | undefined;
    const hosted = run(async (request) => {
      const reader = request.body!.getReader();
      setTimeout(() => void (late = reader.read().then(String, (error: Error) => error.message)), 5);
      return await Promise.resolve(new Response("early"));
    }, POST);
    await hosted.ended();
    hosted.body("hello");
    hosted.end();
    await hosted.until(() => late !== undefined && hosted.creditGiven === 5, "the credit of all");
    expect(await late).toBe("the answer was over before the body was read");

    let rest = "";
    const going = run(async (request) => {
      const reader = request.body!.getReader();
      await reader.read();
      void (async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        for (let step = await reader.read(); !step.done; step = await reader.read()) rest += Buffer.from(step.value);
        rest += ".";
      })();
      return new Response("early");
    }, POST);
    going.body("he");
    await going.ended();
    going.body("llo");
    going.end();
    await going.until(() => rest.endsWith("."), "the rest of the body");
    expect(rest).toBe("llo.");
  });

  it("is sent nothing of a body that it does not read; when it has answered, the body passes by", async () => {
    let answer!: (response: Response) => void;
    const hosted = run(async () => await new Promise((resolve) => (answer = resolve)), POST);
    hosted.body("he");
    await new Promise((resolve) => setImmediate(resolve));
    expect(hosted.creditGiven).toBe(0);
    answer(new Response("no thanks", { status: 413 }));
    await hosted.ended();
    hosted.body("llo");
    hosted.end();
    await hosted.until(() => hosted.creditGiven === 5, "the credit of all");
    expect([hosted.status, hosted.bodyText, hosted.logged]).toEqual([413, "no thanks", []]);
  });

  it.each<[string, (request: Request) => Promise<void>]>([
    ["at once", async (request) => await request.body!.cancel()],
    [
      "by its reader",
      async (request) => {
        const reader = request.body!.getReader();
        await reader.read();
        await reader.cancel();
      },
    ],
  ])("may cancel the request's body %s, of which the rest comes all the same", async (_how, cancel) => {
    const hosted = run(async (request) => {
      await cancel(request);
      return new Response("ok");
    }, POST);
    hosted.body("he");
    await hosted.ended();
    hosted.body("llo");
    hosted.end();
    await hosted.until(() => hosted.creditGiven === 5, "the credit of all");
    await new Promise((resolve) => setImmediate(resolve));
    expect([hosted.status, hosted.bodyText, hosted.logged]).toEqual([200, "ok", []]);
  });

  it("streams the answer: the head leaves before the first chunk is there", async () => {
    let push!: (text: string | null) => void;
    const body = new ReadableStream({
      start(controller) {
        push = (text) => (text === null ? controller.close() : controller.enqueue(new TextEncoder().encode(text)));
      },
    });
    const hosted = run(() => new Response(body));
    await hosted.until(() => hosted.types.includes("head"));
    expect(hosted.bodyText).toBe("");
    push("a");
    await hosted.until(() => hosted.bodyText === "a");
    push(null);
    await hosted.ended();
    expect(hosted.types.at(-1)).toBe("end");
  });

  it("hears of a client that has left: the signal aborts, the answer's stream is cancelled", async () => {
    let request!: Request;
    let cancelled = false;
    const hosted = run((received) => {
      request = received;
      return new Response(new ReadableStream({ cancel: () => void (cancelled = true) }));
    });
    await hosted.until(() => hosted.types.includes("head"));
    expect(request.signal.aborted).toBe(false);
    hosted.send({ type: "abort", code: "CONNECTION_LOST" });
    await hosted.until(() => cancelled);
    expect(request.signal.aborted).toBe(true);
  });

  it("breaks off when the answer's stream fails", async () => {
    const hosted = run(
      () =>
        new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(new TextEncoder().encode("a")),
            pull: (controller) => void setTimeout(() => controller.error(new Error("source failed")), 5),
          }),
        ),
    );
    await hosted.ended();
    expect(hosted.types.at(-1)).toBe("fail");
  });

  it.each([
    [
      "rejects",
      async () => {
        throw new Error("no");
      },
    ],
    ["returns no Response", () => "text"],
  ])("that %s is answered 500", async (_how, fetch) => {
    const hosted = run(fetch as never);
    await hosted.ended();
    expect(hosted.status).toBe(500);
  });
});
