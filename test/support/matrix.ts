/** What the end-to-end tests find out about web servers, for docs/matrix.md. */
import type { TestContext } from "vitest";

/** The columns of the page, in their order; docs/matrix.mjs says what each means. */
export type Feature =
  | "prefix"
  | "streaming"
  | "early hints"
  | "upload of unknown length"
  | "upload streamed"
  | "client gone, writing"
  | "client gone, thinking"
  | "client gone, uploading"
  | "break without a length"
  | "keep-alive"
  | "authorizer"
  | "sendfile"
  | "upgrade";

export interface Fact {
  /** `apache fastcgi unix`, `apache cgi`, or with a word for another way: `nginx fastcgi tcp, connections kept`. */
  readonly row: string;
  readonly feature: Feature;
  /** "yes", "no", or what has to be known. */
  readonly value: string;
}

declare module "vitest" {
  interface TaskMeta {
    facts?: Fact[];
  }
}

/** That of a configuration's title: the root and the prefix are one row. */
export function rowOf(title: string): string {
  return title.replace(/,? \/\S*$/, "");
}

/** To be called when it is known: by the end of a test that has passed. */
export function note({ task }: Pick<TestContext, "task">, row: string, feature: Feature, value = "yes"): void {
  (task.meta.facts ??= []).push({ row, feature, value });
}
