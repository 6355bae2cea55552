/** Every command line of propylon that the documentation or its own help shows is one that it understands. */
import type { Command } from "commander";
import { describe, expect, it } from "vitest";

import { createProgram } from "../../../src/commands/program.ts";
import { docstringPages, markdownPages, propylonCalls, words } from "../../support/examples.ts";

/** The program, and what its commands would have been called with. */
function understand(args: readonly string[]): string {
  let understood = "";
  const program = createProgram().exitOverride((error) => {
    throw error;
  });
  for (const command of program.commands) {
    command.exitOverride().action(() => void (understood = command.name()));
    command.configureOutput({ writeErr: () => {}, writeOut: () => {} });
  }
  program.parse([...args], { from: "user" });
  return understood;
}

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => void (text += part) }).outputHelp();
  return text;
}

/** As test cases with readable names. */
function named(calls: readonly (readonly string[])[]): { readonly call: string; readonly args: readonly string[] }[] {
  const byText = new Map(calls.map((args) => [args.join(" "), args]));
  return Array.from(byText, ([call, args]) => ({ call, args }));
}

const pages = [...markdownPages(), ...docstringPages()];
const inText = pages.flatMap(({ text }) =>
  Array.from(text.matchAll(/`(?:npx )?propylon ([a-z][^`]*)`/g), ([, call]) => words(call!)),
);
const inHelp = createProgram().commands.flatMap((command) =>
  Array.from(helpOf(command).matchAll(/^ {2}propylon (.*)$/gm), ([, call]) => words(call!)),
);

describe("the command lines", () => {
  it.each(named(propylonCalls(pages)))("of the examples: propylon $call", ({ args }) => {
    expect(understand(args)).toBe(args[0]);
  });

  it.each(named(inHelp))("of the help: propylon $call", ({ args }) => {
    expect(understand(args)).toBe(args[0]);
  });

  it.each(named(inText))("of the text: propylon $call", ({ args }) => {
    if (args.includes("--help")) expect(() => understand(args)).toThrow("(outputHelp)");
    else if (args.length > 1) expect(understand(args)).toBe(args[0]);
    else expect(createProgram().commands.map((command) => command.name())).toContain(args[0]);
  });
});
