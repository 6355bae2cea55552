/** What becomes of a record for which there is no handler: in a process of its own, whose standard error is looked at. */
import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";

const MODULE = new URL("../../dist/logging/loggers.js", import.meta.url).href;
const SETUPS = {
  "nothing is set up": "[]",
  "nobody has one": '[["", { level: 10, handlers: [], propagate: false }]]',
  "it goes no further":
    '[["", { level: 10, handlers: [handler], propagate: false }], ["wiki", { level: null, handlers: [], propagate: false }]]',
};

it.for(Object.entries(SETUPS))("a record goes to standard error from WARNING on where %s", ([, setups]) => {
  const code = `import { getLogger, setLoggers } from ${JSON.stringify(MODULE)};
    const handler = { level: 0, format: ({ message }) => message, write: (line) => console.log(line) };
    setLoggers(new Map(${setups}));
    getLogger("wiki").info("quiet");
    getLogger("wiki").warning("loud");`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" });
  expect({ stdout, stderr }).toEqual({ stdout: "", stderr: "WARNING wiki: loud\n" });
});
