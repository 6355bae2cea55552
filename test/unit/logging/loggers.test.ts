import { afterEach, describe, expect, it } from "vitest";

import { type LogHandler, type LoggerSetup, getLogger, setLoggers } from "../../../src/logging/loggers.ts";

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
