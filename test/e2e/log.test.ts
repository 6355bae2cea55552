/** What processes and threads log by themselves, where nobody reads it or where it cannot be shown. */
import { afterEach, describe, expect, it } from "vitest";

import { type Mode, SupervisedServer, until } from "../support/supervised.ts";

const MODES: readonly Mode[] = ["thread", "fork"];

let server: SupervisedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

describe("the log", () => {
  it.for(["/throw-strange", "/throw-strange?stack"])(
    "of a thread tells of what was thrown though it cannot be shown: %s",
    async (path) => {
      server = await SupervisedServer.start({ mode: "thread", server: { pm: "static", maxThreads: 1 } });
      const { pid } = await server.who();
      expect(await server.ask(path)).toMatchObject({ status: 500 });
      await server.said(/ error uncaughtException in worker thread 1: \S/);
      expect(await server.who()).toMatchObject({ pid });
    },
  );

  it.for(MODES)("in %s mode ends nothing when its reader is gone", async (mode) => {
    server = await SupervisedServer.start({ mode, server: { pm: "static", maxThreads: 1, maxChildren: 2 } });
    const supervisor = server.process;
    supervisor.stderr!.destroy();
    supervisor.stdout!.destroy();
    await server.try("/throw");
    await server.try("/throw-later");
    server.signal("SIGHUP");
    await until(
      async () => "body" in (await server!.try("/who")),
      () => "an answer",
    );
    expect(supervisor.exitCode ?? supervisor.signalCode).toBeNull();
    expect(await server.stop()).toBe(0);
  });
});
