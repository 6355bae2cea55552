/** A strict reader of OpenMetrics 1.0 text, of what the specification says about the types that are used here. */

export interface MetricFamily {
  readonly type: string;
  readonly unit: string | null;
  readonly help: string | null;
  readonly samples: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

interface Current {
  readonly name: string;
  readonly family: { -readonly [Key in keyof MetricFamily]: MetricFamily[Key] };
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  gauge: [""],
  counter: ["_total", "_created"],
  info: ["_info"],
  stateset: [""],
};

/** @throws Error at the first line that is not as the specification says. */
export function readOpenMetrics(text: string): Map<string, MetricFamily> {
  const families = new Map<string, MetricFamily>();
  const lines = text.split("\n");
  if (lines.pop() !== "" || lines.pop() !== "# EOF") throw new Error("the text does not end in # EOF and a newline");
  let current = null as Current | null;
  const seen = new Set<string>();
  for (const line of lines) {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${JSON.stringify(line)}`);
    };
    const descriptor = /^# (TYPE|UNIT|HELP) (\S+) (.*)$/.exec(line);
    if (descriptor !== null) {
      const [, kind, name = "", rest = ""] = descriptor;
      if (!NAME.test(name)) fail("a bad name");
      if (current?.name !== name) {
        // Metadata and samples of a family are not interleaved with those of others.
        if (families.has(name)) fail("a family that was there before");
        current = { name, family: { type: "unknown", unit: null, help: null, samples: [] } };
        families.set(name, current.family);
      }
      const { family } = current;
      if (family.samples.length > 0) fail("metadata after samples");
      if (kind === "TYPE") family.type = rest in SUFFIXES ? rest : fail("a type that is not known");
      else if (kind === "UNIT") {
        if (!name.endsWith(`_${rest}`)) fail("a name that does not end in its unit");
        if (family.type === "info" || family.type === "stateset") fail("a unit of what has none");
        family.unit = rest;
      } else family.help = rest;
      continue;
    }
    if (line.startsWith("#") || line === "") fail("neither a descriptor nor a sample");
    if (current === null) return fail("a sample without a family");
    const { name, labels, value } = readSample(line, fail);
    const { family } = current;
    const suffix = (SUFFIXES[family.type] ?? [""]).find((suffix) => name === current!.name + suffix);
    if (suffix === undefined) fail(`a sample that is not of ${current.name}`);
    const identity = JSON.stringify([name, Object.entries(labels)]);
    if (seen.has(identity)) fail("a sample that was there before");
    seen.add(identity);
    if (family.type === "counter" && !(value >= 0)) fail("a counter below 0");
    if (family.type === "info" && value !== 1) fail("an info that is not 1");
    if (family.type === "stateset" && ((value !== 0 && value !== 1) || labels[current.name] === undefined)) {
      fail("no state of a set");
    }
    family.samples.push({ name, labels, value });
  }
  return families;
}

function readSample(
  line: string,
  fail: (why: string) => never,
): { name: string; labels: Record<string, string>; value: number } {
  const name = /^[^{ ]+/.exec(line)?.[0] ?? "";
  if (!NAME.test(name)) fail("a bad name");
  const labels: Record<string, string> = {};
  let at = name.length;
  if (line[at] === "{") {
    at++;
    while (line[at] !== "}") {
      const pair = /([^=]+)="((?:[^"\\]|\\[\\"n])*)"(,(?!\})|(?=\}))/y;
      pair.lastIndex = at;
      const [whole, label = "", value = ""] = pair.exec(line) ?? fail("bad labels");
      if (!LABEL.test(label) || label in labels) fail("a bad label");
      labels[label] = value.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
      at += whole.length;
    }
    at++;
  }
  const number = /^ (-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/.exec(line.slice(at));
  if (number === null) return fail("a bad value");
  return { name, labels, value: Number(number[1]!.replace("Inf", "Infinity")) };
}
