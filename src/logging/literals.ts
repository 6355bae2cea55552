/** The literals of Python that configurations of its logging have: read, never evaluated. */

/** `sys.stdout` and `sys.stderr` are these two; a tuple is an array. */
export type Literal = string | number | boolean | null | { readonly stream: "stdout" | "stderr" } | readonly Literal[];

const TOKEN =
  /\s*(?:(?<text>[rub]?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))|(?<number>[+-]?\d+(?:\.\d+)?)|(?<name>[A-Za-z_][\w.]*)|(?<mark>[()[\]{},:=]))/sy;
/** After a backslash; before any other character it stands for itself. */
const ESCAPES: Readonly<Record<string, string>> = {
  ...{ n: "\n", t: "\t", r: "\r", "0": "\0" },
  ...{ "\\": "\\", "'": "'", '"': '"', "\n": "" },
};
const NAMES: Readonly<Record<string, Literal>> = {
  True: true,
  False: false,
  None: null,
  "sys.stdout": { stream: "stdout" },
  "sys.stderr": { stream: "stderr" },
};
/** The constants of Python's logging that its documentation has in `args`. */
const SYSLOG_PORT = /^(?:logging\.)?handlers\.SYSLOG_UDP_PORT$/;
const SYSLOG_FACILITY = /^(?:logging\.)?handlers\.SysLogHandler\.LOG_([A-Z]+\d?)$/;

type Token = { readonly value: Literal } | { readonly mark: string } | { readonly name: string };

/** A tuple such as `('app.log', 'a', 1000)` or `(sys.stderr,)`; throws a SyntaxError that says what stands there instead. */
export function parseTuple(text: string): readonly Literal[] {
  const reader = new Reader(text);
  const value = reader.value();
  reader.end();
  if (!Array.isArray(value)) throw new SyntaxError(`a tuple such as (sys.stderr,) was expected, found ${text.trim()}`);
  return value as readonly Literal[];
}

/** A dictionary such as `{'maxBytes': 1000}`; throws a SyntaxError. */
export function parseDictionary(text: string): Readonly<Record<string, Literal>> {
  const reader = new Reader(text);
  const values = reader.dictionary();
  reader.end();
  return values;
}

class Reader {
  readonly #tokens: Token[] = [];
  #at = 0;

  constructor(text: string) {
    TOKEN.lastIndex = 0;
    const end = text.trimEnd().length;
    while (TOKEN.lastIndex < end) {
      const from = TOKEN.lastIndex;
      const groups = TOKEN.exec(text)?.groups;
      if (groups === undefined) throw new SyntaxError(`"${text.slice(from, from + 20).trim()}" is no literal`);
      const { text: quoted, number, name, mark } = groups;
      if (quoted !== undefined) this.#tokens.push({ value: unquoted(quoted) });
      else if (number !== undefined) this.#tokens.push({ value: Number(number) });
      else if (mark !== undefined) this.#tokens.push({ mark });
      else this.#tokens.push(named(name!));
    }
  }

  value(): Literal {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new SyntaxError("a value is missing at the end");
    if ("value" in token) return token.value;
    if ("name" in token)
      throw new SyntaxError(`${token.name} is no literal: strings, numbers, True, False, None, sys.stdout, sys.stderr`);
    if (token.mark === "(") return this.#list(")");
    if (token.mark === "[") return this.#list("]");
    throw new SyntaxError(`a value was expected, found ${token.mark}`);
  }

  dictionary(): Readonly<Record<string, Literal>> {
    const values: Record<string, Literal> = {};
    this.#expect("{");
    while (!this.#take("}")) {
      const key = this.value();
      if (typeof key !== "string") throw new SyntaxError("a key must be a string");
      this.#expect(":");
      values[key] = this.value();
      if (!this.#take(",") && !this.#is("}")) throw new SyntaxError("a comma is missing");
    }
    return values;
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw new SyntaxError("something follows the closing bracket");
  }

  /** A single value in brackets without a comma is that value, as in Python. */
  #list(close: ")" | "]"): Literal {
    const values: Literal[] = [];
    let commas = 0;
    while (!this.#take(close)) {
      values.push(this.value());
      if (this.#take(",")) commas++;
      else if (!this.#is(close)) throw new SyntaxError("a comma or a closing bracket is missing");
    }
    return close === ")" && values.length === 1 && commas === 0 ? values[0]! : values;
  }

  #is(mark: string): boolean {
    const token = this.#tokens[this.#at];
    return token !== undefined && "mark" in token && token.mark === mark;
  }

  #take(mark: string): boolean {
    if (!this.#is(mark)) return false;
    this.#at++;
    return true;
  }

  #expect(mark: string): void {
    if (!this.#take(mark)) throw new SyntaxError(`${mark} is missing`);
  }
}

function named(name: string): Token {
  if (Object.hasOwn(NAMES, name)) return { value: NAMES[name]! };
  if (SYSLOG_PORT.test(name)) return { value: 514 };
  const facility = SYSLOG_FACILITY.exec(name)?.[1];
  return facility === undefined ? { name } : { value: facility.toLowerCase() };
}

function unquoted(text: string): string {
  const raw = text.startsWith("r");
  const body = text.slice(/^[rub]/.test(text) ? 2 : 1, -1);
  return raw ? body : body.replace(/\\(.)/gs, (all, character: string) => ESCAPES[character] ?? all);
}
