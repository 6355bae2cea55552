/** Which files an app that is described would serve by itself, so that its web server may; no code is loaded. */
import { resolve } from "node:path";

import { parseMapPlace } from "../middleware/urlmap.ts";
import type { Context, FactoryContext } from "./context.ts";
import { asInt } from "./converters.ts";
import { nameOf } from "./create.ts";

/** What of an app concerns the web server before it. */
export interface AppShape {
  /** That of PrefixMiddleware; undefined without one. */
  readonly prefix: string | undefined;
  /** URLs below the mount, such as `/static`, in UTF-8; directories are absolute; `maxAge`: seconds. */
  readonly files: readonly {
    readonly url: string;
    readonly directory: string;
    readonly maxAge?: number | undefined;
  }[];
  /** What stays with the app, and why: a line for people each. */
  readonly kept: readonly string[];
}

/** Filters that do not decide who may see what is behind them. */
const HARMLESS: ReadonlySet<string> = new Set(["gzip", "translogger", "error_catcher", "config", "prefix"]);

/** @throws ConfigError for a fault in a section that is named */
export function shapeOf(app: Context): AppShape {
  const walk = new Walk();
  walk.visit(app, "", null);
  return { prefix: walk.prefix, files: walk.files, kept: walk.kept };
}

class Walk {
  prefix: string | undefined;
  readonly files: { url: string; directory: string; maxAge?: number | undefined }[] = [];
  readonly kept: string[] = [];

  /** `guard`: what stands before the app here, and might answer in its place; null for nothing. */
  visit(context: Context, url: string, guard: string | null): void {
    if (context.type === "wrapped") {
      let before = guard;
      for (const filter of context.filters) before = this.#pass(filter, url, before);
      this.visit(context.inner, url, before);
      return;
    }
    if (context.factory.from !== "builtin") return;
    switch (context.factory.entry) {
      case "static":
        this.#serve(context, url, guard);
        break;
      case "urlmap":
        this.#map(context, url, guard);
        break;
      case "cascade":
        for (const key of Object.keys(context.localConf).filter((key) => key.startsWith("app"))) {
          this.visit(appOf(context, key), url, guard ?? "it is one of a cascade");
        }
        break;
    }
  }

  #pass(filter: Context, url: string, guard: string | null): string | null {
    if (filter.type === "wrapped" || filter.factory.from !== "builtin" || !HARMLESS.has(filter.factory.entry)) {
      return guard ?? `the filter ${nameOf(filter)} is before it`;
    }
    if (filter.factory.entry === "prefix" && url === "") this.prefix ??= filter.localConf["prefix"];
    return guard;
  }

  #map(context: FactoryContext, url: string, guard: string | null): void {
    const places = Object.keys(context.localConf).map((key) => [key, parseMapPlace(key)] as const);
    for (const [key, place] of places) {
      if (place === null) continue;
      const path = place.segments.map((segment) => `/${Buffer.from(segment, "latin1").toString()}`).join("");
      const within = places.some(
        ([, other]) =>
          other !== null &&
          (other.segments.length > place.segments.length || other.host !== place.host) &&
          place.segments.every((segment, i) => segment === other.segments[i]),
      );
      const before = place.host === undefined ? (within ? "other apps are below it" : null) : "it is one host's";
      // At the root nothing is hidden that lies below.
      this.visit(appOf(context, key), url + path, guard ?? (path === "" ? null : before));
    }
  }

  #serve({ localConf, globalConf, keys }: FactoryContext, url: string, guard: string | null): void {
    const root = localConf["document_root"];
    if (root === undefined) return;
    const directory = resolve(globalConf["here"] ?? ".", root);
    const why = guard ?? (url === "" ? "it is all of the app" : null);
    const { cache_max_age: age } = localConf;
    const maxAge = age === undefined ? undefined : asInt(age, keys.get("cache_max_age"));
    if (why === null) this.files.push({ url, directory, ...(maxAge === undefined ? {} : { maxAge }) });
    else this.kept.push(`${directory} at ${url === "" ? "/" : url}, since ${why}.`);
  }
}

function appOf({ find, localConf, globalConf }: FactoryContext, key: string): Context {
  return find("app", localConf[key], globalConf);
}
