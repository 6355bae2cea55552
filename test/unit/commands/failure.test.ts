import { describe, expect, it } from "vitest";

import { UsageError, describeFailure, exitCodeOf } from "../../../src/commands/failure.ts";
import { ConfigError, ListenError } from "../../../src/errors.ts";

const PLACE = { file: "a.ini", section: "app:main", key: "use", line: 2 };
const WRONG = new ConfigError("CONFIG_NO_PACKAGE", "no such package", PLACE);
const CAUSE = Object.assign(new Error("no database"), {
  stack: `Error: no database\n    at make (file:///srv/app.js:1:2)\n    at create (${new URL("../../../src/deploy/create.ts", import.meta.url).href}:3:4)\n    at node:internal/x:1:1`,
});
const FAILED = new ConfigError("APP_LOAD_FAILED", "the factory failed: no database", PLACE, { cause: CAUSE });

describe("exitCodeOf", () => {
  it("is 2 for what has to be written differently and 1 for what failed", () => {
    expect([WRONG, new UsageError("x")].map(exitCodeOf)).toEqual([2, 2]);
    expect([FAILED, new ListenError("LISTEN_IN_USE", "taken"), new Error("x"), "x"].map(exitCodeOf)).toEqual([
      1, 1, 1, 1,
    ]);
  });
});

describe("describeFailure", () => {
  it("is the message without a stack", () => {
    expect(describeFailure(WRONG, false)).toBe("CONFIG_NO_PACKAGE: a.ini:2 [app:main] use: no such package");
  });

  it("adds the app's own part of the stack where the app failed", () => {
    expect(describeFailure(FAILED, false)).toBe(
      "APP_LOAD_FAILED: a.ini:2 [app:main] use: the factory failed: no database\n    at make (file:///srv/app.js:1:2)",
    );
  });

  it("shows all stacks when asked to", () => {
    const text = describeFailure(FAILED, true);
    expect(text).toContain("failure.test.ts");
    expect(text).toContain("node:internal");
  });

  it.each([
    ["EADDRINUSE", '127.0.0.1:80: another program does, and "ss -ltnp" names it (EADDRINUSE)'],
    ["EACCES", "127.0.0.1:80: this user may not; ports below 1024 are for root"],
    ["EADDRNOTAVAIL", "127.0.0.1:80: this machine does not have that address (EADDRNOTAVAIL)"],
  ])("says what %s means where it listens", (code, why) => {
    const error = Object.assign(new Error("listen"), { code, syscall: "listen", address: "127.0.0.1", port: 80 });
    expect(describeFailure(error, false)).toContain(`cannot listen on ${why}`);
  });

  it("names a host that has no address", () => {
    const lookup = { code: "ENOTFOUND", syscall: "getaddrinfo", hostname: "nosuch" };
    const error = Object.assign(new Error("getaddrinfo ENOTFOUND nosuch"), lookup);
    expect(describeFailure(error, false)).toBe("host: no address is known of nosuch (ENOTFOUND)");
  });

  it("takes whatever was thrown", () => expect(describeFailure("oops", false)).toBe("oops"));
});
