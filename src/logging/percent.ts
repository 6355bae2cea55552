/** Texts with named fields, as Python's `%` fills them in: `%(levelname)-5.5s`, `%(msecs)03d`, `%%`. */

/** The fields of a text by name. */
export type PercentFields<Subject> = Readonly<Record<string, (subject: Subject) => string | number>>;

const DIRECTIVE = /%(?:%|\((\w+)\)([-0]*)(\d*)(?:\.(\d+))?([sdrif]))/g;

/** @throws RangeError for what is no directive, or names a field that there is not */
export function compilePercent<Subject>(format: string, fields: PercentFields<Subject>): (subject: Subject) => string {
  const parts: ((subject: Subject) => string)[] = [];
  let at = 0;
  for (const match of format.matchAll(DIRECTIVE)) {
    const [all, name, flags = "", width, precision, type] = match;
    parts.push(literal(format.slice(at, match.index)));
    at = match.index + all.length;
    if (name === undefined) {
      parts.push(() => "%");
      continue;
    }
    if (!Object.hasOwn(fields, name)) {
      throw new RangeError(`%(${name})s is no field; there are ${Object.keys(fields).join(", ")}`);
    }
    const field = fields[name]!;
    const shape = {
      flags,
      width: Number(width),
      precision: precision === undefined ? null : Number(precision),
      type: type!,
    };
    parts.push((subject) => shaped(field(subject), shape));
  }
  parts.push(literal(format.slice(at)));
  return (subject) => parts.map((part) => part(subject)).join("");
}

interface Shape {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | null;
  readonly type: string;
}

function shaped(value: string | number, { flags, width, precision, type }: Shape): string {
  const number = type === "s" || type === "r" ? Number.NaN : Number(value);
  let text: string;
  // A field that has no number where one is asked for shows what it has.
  if (Number.isNaN(number)) text = precision === null ? String(value) : String(value).slice(0, precision);
  else if (type === "f") text = number.toFixed(precision ?? 6);
  else text = String(Math.trunc(number)).padStart(precision ?? 0, "0");
  if (flags.includes("-")) return text.padEnd(width);
  return text.padStart(width, flags.includes("0") && !Number.isNaN(number) ? "0" : " ");
}

/** The rest between directives. */
function literal(text: string): () => string {
  const stray = /%.{0,12}/.exec(text);
  if (stray !== null) throw new RangeError(`"${stray[0]}" is no directive such as %(message)s; a percent sign is %%`);
  return () => text;
}
