/** What the commands that install lend to an installer: a terminal, and files that are not overwritten unasked. */
import { createInterface } from "node:readline/promises";

import { readIfThere, writeWhole } from "../install/config-files.ts";
import type { InstallCommand } from "../install/installer.ts";
import { escapeControls } from "../log.ts";

/** How it is called where it is installed. */
export const PROPYLON: string = /\/node_modules\/\.bin\/[^/]+$/.test(process.argv[1] ?? "")
  ? "npx propylon"
  : "propylon";

export interface InstallFlags {
  /** False with --no-interactive. */
  readonly interactive?: boolean;
  readonly force?: boolean;
  readonly simulate?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

export class TerminalCommand implements InstallCommand {
  readonly interactive: boolean;
  readonly simulate: boolean;
  readonly verbose: boolean;
  /** A file is as it was, though it should be another. */
  kept = false;
  readonly #force: boolean;
  readonly #quiet: boolean;

  constructor({ interactive = true, force = false, simulate = false, quiet = false, verbose = false }: InstallFlags) {
    this.interactive = interactive && process.stdin.isTTY;
    this.simulate = simulate;
    this.verbose = verbose;
    this.#force = force;
    this.#quiet = quiet;
  }

  say(line: string): void {
    if (!this.#quiet) process.stdout.write(`${line}\n`);
  }

  /** False without a terminal, and with --no-interactive. */
  async ask(question: string): Promise<boolean> {
    if (!this.interactive) return false;
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    try {
      return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
    } finally {
      terminal.close();
    }
  }

  async writeFile(filename: string, content: string): Promise<"written" | "unchanged" | "kept"> {
    const before = await readIfThere(filename);
    if (before === content) {
      this.say(`${filename} is as it should be already`);
      return "unchanged";
    }
    if (before !== null) {
      this.say(await difference(filename, before, content));
      if (this.simulate) {
        this.say(`would ask whether to replace ${filename}`);
        return "kept";
      }
      if (!this.#force && !(await this.ask(`Replace ${filename} by the new content?`))) {
        this.kept = true;
        return "kept";
      }
    } else if (this.simulate) {
      this.say(`would write ${filename}, ${Buffer.byteLength(content)} bytes`);
      return "written";
    }
    await writeWhole(filename, content);
    this.say(before === null ? `wrote ${filename}` : `replaced ${filename}`);
    return "written";
  }
}

/** Values that are nobody's to read over a shoulder or in a log. */
const SECRET = /^([^#;=:\n]*(?:secret|password|token)[^=:\n]*[=:][ \t]*)\S.*$/gim;

async function difference(filename: string, before: string, content: string): Promise<string> {
  const [old, young] = [before, content].map((text) => text.replace(SECRET, "$1***")) as [string, string];
  if (old === young) return `${filename} is there with other secrets`;
  const { createTwoFilesPatch } = await import("diff");
  return escapeControls(createTwoFilesPatch(filename, `${filename} (new)`, old, young)).trimEnd();
}
