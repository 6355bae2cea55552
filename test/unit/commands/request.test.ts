import { afterEach, describe, expect, it, vi } from "vitest";

import { request } from "../../../src/commands/request.ts";

afterEach(() => {
  process.exitCode = undefined;
  vi.restoreAllMocks();
});

describe("propylon request", () => {
  it.for([
    [["app.ini"], {}, "a path is missing, such as /"],
    [["app.ini", "x"], {}, '"x" is no path: one begins with /'],
    [["/x"], {}, "whom to ask for /x? Name its FILE.ini first, or --socket or --port"],
    [["x"], { socket: "x.sock" }, '"x" is no path: one begins with /'],
    [["app.ini", "/"], { mount: "/james" }, "/ is not below the mount /james"],
    [["app.ini", "/"], { header: ["nonsense"] }, '--header: "nonsense" is not "Name: value"'],
    [["app.ini", "/"], { data: "@not-there" }, "--data: ENOENT"],
    [[], {}, "a path is missing, such as /"],
    [["app.ini", "/"], { param: ["x"] }, '"x" is not NAME=VALUE (--param)'],
    [["app.ini", "/", "x"], {}, '"x" is not var=value'],
    [["/"], { host: "127.0.0.1" }, "--host needs the --port NUMBER of the server"],
    [["/"], { port: "http" }, '--port: "http" is no port from 0 to 65535'],
    [["/"], { port: "65536" }, '--port: "65536" is no port from 0 to 65535'],
    [["app.ini", "/"], { timeout: "soon" }, '--timeout: "soon" is no number of seconds'],
  ] as const)("refuses %j with %j: 2", async ([args, flags, wording]) => {
    let told = "";
    vi.spyOn(process.stderr, "write").mockImplementation((chunk) => (told += String(chunk)) !== "");
    vi.spyOn(process.stdout, "write").mockImplementation((...given) => {
      // The process would end here.
      expect(given).toEqual(["", expect.any(Function)]);
      return true;
    });
    await request(args, { timeout: "60", ...flags });
    expect(process.exitCode).toBe(2);
    expect(told).toBe(`propylon: ${told.slice(10)}`);
    expect(told).toContain(wording);
  });
});
