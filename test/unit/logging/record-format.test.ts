import { describe, expect, it } from "vitest";

import { type LogRecord, jsonFormat, percentFormat } from "../../../src/logging/record-format.ts";

const at = new Date(2026, 0, 5, 9, 8, 7, 65).getTime();
const RECORD: LogRecord = { logger: "wiki.pages", level: 30, message: "gone", at };
const WHERE = { threadName: "worker-3", thread: 3 };
const show = (format: string, datefmt: string | null = null, record: Partial<LogRecord> = {}): string =>
  percentFormat(format, datefmt, WHERE)({ ...RECORD, ...record });

describe("a % format", () => {
  it.for([
    [
      "%(asctime)s,%(msecs)03d %(levelname)-5.5s [%(name)s] %(message)s",
      "2026-01-05 09:08:07,065,065 WARNI [wiki.pages] gone",
    ],
    ["%(levelname)-8s|%(levelname)9s|%(levelno)d", "WARNING |  WARNING|30"],
    ["%(threadName)s %(thread)5d %(process)d", `worker-3     3 ${process.pid}`],
    ["100%% %(message)s", "100% gone"],
    ["%(created)f", (at / 1000).toFixed(6)],
    ["%(message).2s", "go"],
    ["%(msecs).03d|%(msecs)5.3d|%(msecs)-4d|", "065|  065|65  |"],
    ["%(name)05d", "wiki.pages"],
  ] as const)("%s", ([format, text]) => {
    expect(show(format)).toBe(text);
  });

  it("takes dates of strftime, without milliseconds", () => {
    expect(show("%(asctime)s", "%H:%M:%S")).toBe("09:08:07");
    expect(show("%(asctime)s", "%d/%b/%y %I%p %A %%")).toBe("05/Jan/26 09AM Monday %");
  });

  it("indents further lines and escapes controls, so that no record is forged", () => {
    expect(show("%(message)s", null, { message: "a\n2026-01-01 ERROR b\u001b[0m" })).toBe(
      "a\n    2026-01-01 ERROR b\\x1b[0m",
    );
  });

  it.for([
    ["%(mesage)s", /%\(mesage\)s is no field/],
    ["%(constructor)s", /%\(constructor\)s is no field/],
    ["100% of it", /"% of it" is no directive/],
    ["%(message)x", /is no directive/],
  ] as const)("%s is refused", ([format, message]) => {
    expect(() => show(format)).toThrow(message);
  });

  it("refuses dates that there are not", () => {
    expect(() => show("%(asctime)s", "%Q")).toThrow(/%Q in datefmt/);
  });
});

it("JSON is one object a line", () => {
  const line = jsonFormat(WHERE)({ ...RECORD, message: 'a\n"b"' });
  expect(line).not.toContain("\n");
  expect(JSON.parse(line)).toEqual({
    ...{ time: new Date(at).toISOString(), level: "WARNING", logger: "wiki.pages" },
    ...{ message: 'a\n"b"', process: process.pid, thread: "worker-3" },
  });
});
