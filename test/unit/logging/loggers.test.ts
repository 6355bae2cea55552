import { afterEach, describe, expect, it, vi } from "vitest";

import { type LogHandler, type LoggerSetup, getLogger, setLoggers } from "../../../src/logging/loggers.ts";

const { onStandardError } = vi.hoisted(() => ({ onStandardError: [] as string[] }));
vi.mock(import("../../../src/log.ts"), async (original) => ({
  ...(await original()),
  descriptorWriter: () => (line) => void onStandardError.push(line),
}));

const heard: string[] = [];
const handler: LogHandler = {
  level: 0,
  format: ({ logger, message }) => `${logger}: ${message}`,
  write: (line) => void heard.push(line),
  reopen: () => {},
  close: async () => {},
};

function setUp(setups: Record<string, Partial<LoggerSetup>>): void {
  const all = Object.entries(setups).map(([name, setup]): [string, LoggerSetup] => [
    name,
    { level: null, handlers: [], propagate: name !== "", ...setup },
  ]);
  setLoggers(new Map(all));
}

afterEach(() => {
  setLoggers(new Map());
  heard.length = 0;
  onStandardError.length = 0;
});

describe("the level NOTSET", () => {
  it("of the root lets everything pass", () => {
    setUp({ "": { level: 0, handlers: [handler] } });
    getLogger("wiki").debug("a");
    getLogger().debug("b");
    expect(heard).toEqual(["wiki: a", "root: b"]);
  });

  it("of another is that of the next one above", () => {
    setUp({ "": { level: 40, handlers: [handler] }, wiki: { level: 0 } });
    getLogger("wiki").warning("a");
    getLogger("wiki").error("b");
    expect(heard).toEqual(["wiki: b"]);
  });

  it("is not WARNING, which a root without a level has", () => {
    setUp({ "": { handlers: [handler] } });
    getLogger("wiki").info("a");
    getLogger("wiki").warning("b");
    expect(heard).toEqual(["wiki: b"]);
  });
});

describe("a record without a handler", () => {
  it.for([
    ["nothing is set up", {}],
    ["nobody has one", { "": { level: 10 } }],
    ["it goes no further", { "": { level: 10, handlers: [handler] }, wiki: { propagate: false } }],
  ] as const)("goes to standard error from WARNING on where %s", ([, setups]) => {
    setUp(setups);
    getLogger("wiki").info("quiet");
    getLogger("wiki").warning("loud");
    expect(onStandardError).toEqual(["WARNING wiki: loud\n"]);
    expect(heard).toEqual([]);
  });
});
