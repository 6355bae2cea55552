/** The code examples of README.md, docs/, and the docstrings of src/, as the tests run them. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));
/** The folders of the configurations of web servers. */
export const CONFIGURATION_FOLDERS: readonly string[] = [
  "apache-examples",
  ...["caddy", "h2o", "haproxy", "lighttpd", "nginx"].map((server) => `examples/${server}`),
];

export interface Example {
  /** `README.md:43 sh`. */
  readonly title: string;
  readonly language: string;
  readonly code: string;
  /** What the paragraph before ends with, such as `site.ini`: the example is that file. */
  readonly file: string | null;
}

/** One Markdown file, whose examples share a directory, in their order; or one example of a docstring. */
export interface Page {
  readonly name: string;
  readonly text: string;
  readonly examples: readonly Example[];
}

/** A path in backquotes, perhaps a link, and then a colon at the end of the paragraph. */
const CAPTION = /`((?:[\w-]+\/)*[\w.-]+\.\w+)`(?:\]\([^)]*\))?[^`]*:$/;

export function markdownPages(): Page[] {
  const docs = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"));
  return ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", ...docs.map((name) => `docs/${name}`)].map((name) => {
    const text = readFileSync(join(ROOT, name), "utf8");
    return { name, text, examples: examplesIn(text, (line) => `${name}:${line}`) };
  });
}

/** Each example of a docstring is a page. */
export function docstringPages(): Page[] {
  const files = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  return files.toSorted().flatMap((file) => {
    const source = readFileSync(join(ROOT, "src", file), "utf8");
    return Array.from(source.matchAll(/^ *\/\*\*\n(?: *\*.*\n)+?(?= *\*\/)/gm), ({ 0: comment, index }) => {
      const first = lineOf(source, index);
      const text = comment.replaceAll(/^ *\/?\*+ ?/gm, "");
      const examples = examplesIn(text, (line) => `src/${file}:${first + line - 1}`);
      return examples.map((example) => ({ name: example.title, text: example.code, examples: [example] }));
    }).flat();
  });
}

function examplesIn(text: string, where: (line: number) => string): Example[] {
  return Array.from(text.matchAll(/^```(\w*)\n(.*?)^```$/gms), ({ 1: language = "", 2: code = "", index }) => {
    const before = text.slice(0, index).trimEnd().split("\n\n").at(-1) ?? "";
    const title = `${where(lineOf(text, index))} ${language}`;
    if (language === "diff") return { title, language: "js", code: changedImport(code), file: null };
    return { title, language, code, file: CAPTION.exec(before)?.[1] ?? null };
  });
}

/** An import that takes the place of another: a server by it, which is asked. */
function changedImport(code: string): string {
  const line = /^\+(.+)$/m.exec(code)![1]!;
  const createServer = /^const (\w+) = require/.test(line)
    ? `${/^const (\w+)/.exec(line)![1]}.createServer`
    : "createServer";
  const program = `${createServer}((req, res) => res.end(req.url)).listen("/run/propylon/app.sock");`;
  return `${line}\n${program}\n// GET /page: /page\n`;
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** The lines of a shell example without their comments; what follows `#` is `note`. */
export function shellLines(code: string): { readonly command: string; readonly note: string }[] {
  const lines = code.split("\n").map((line) => /^(.*?)(?:\s+#\s+(.*))?$/.exec(line)!);
  return lines.flatMap(([, command = "", note = ""]) => (/^\s*(?:#|$)/.test(command) ? [] : [{ command, note }]));
}

/** The words of a command, as a shell parts them; no variables. */
export function words(command: string): string[] {
  return Array.from(command.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g), ([word]) => word.replaceAll(/["']/g, ""));
}

/** The words after `propylon` of each call in the shell examples. */
export function propylonCalls(pages: readonly Page[]): string[][] {
  const examples = pages.flatMap((page) => page.examples).filter(({ language }) => language === "sh");
  const commands = examples.flatMap(({ code }) => shellLines(code)).flatMap(({ command }) => command.split(" && "));
  return commands.flatMap((command) => {
    const [call] = /^(?:npx )?propylon (.*)$/.exec(command.trim())?.slice(1) ?? [];
    return call === undefined ? [] : [words(call)];
  });
}
