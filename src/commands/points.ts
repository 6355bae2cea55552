/** `propylon points`: what installed packages offer to configurations. */
import { BUILTINS } from "../deploy/builtins.ts";
import type { EntryPoints } from "../deploy/packages.ts";
import { installedPackages } from "../deploy/packages.ts";
import { didYouMean } from "../suggest.ts";
import { UsageError, exitCodeOf, reportFailure } from "./failure.ts";

export interface PointsFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

const GROUPS = ["app", "composite", "filter", "filterApp", "server", "serverRunner", "install"] as const;
type Group = (typeof GROUPS)[number];

/** How Paste spells the names of packages that are known here by their normalised ones. */
const SPELLINGS: Readonly<Record<string, string>> = {
  paste: "Paste",
  pastedeploy: "PasteDeploy",
  pastescript: "PasteScript",
};

interface Point {
  readonly group: Group;
  /** As `use` takes it. */
  readonly use: string;
  /** Module and export; null for what comes with propylon. */
  readonly target: string | null;
  /** Of the package; null too. */
  readonly directory: string | null;
}

/** Sets `process.exitCode`: 0, 1 where there is none, or 2 for a group that there is not. */
export function points(group: string | undefined, { json = false, quiet = false, verbose = false }: PointsFlags): void {
  try {
    if (group !== undefined && !GROUPS.some((name) => name === group)) {
      throw new UsageError(`there is no group "${group}"${didYouMean(group, GROUPS)} (there are ${GROUPS.join(", ")})`);
    }
    const found = allPoints().filter((point) => group === undefined || point.group === group);
    if (!quiet) process.stdout.write(json ? `${JSON.stringify(found, null, 2)}\n` : table(found, verbose));
    process.exitCode = found.length === 0 ? 1 : 0;
  } catch (error) {
    reportFailure(error, verbose);
    process.exitCode = exitCodeOf(error);
  }
}

function allPoints(): Point[] {
  const own = [...BUILTINS].flatMap(([name, entries]) => pointsOf(SPELLINGS[name] ?? name, entries, null));
  const others = installedPackages(process.cwd()).flatMap(({ name, entries, directory }) =>
    pointsOf(name, entries, directory),
  );
  return [...others, ...own];
}

/** `directory`: null for what comes with propylon. */
function pointsOf(
  name: string,
  entries: EntryPoints & { readonly install?: Readonly<Record<string, unknown>> },
  directory: string | null,
): Point[] {
  return GROUPS.flatMap((group) =>
    Object.entries(entries[group] ?? {}).map(([entry, target]) => ({
      ...{ group, use: `egg:${name}#${entry}`, target: directory === null ? null : String(target), directory },
    })),
  );
}

function table(found: readonly Point[], verbose: boolean): string {
  const width = Math.max(0, ...found.map(({ use }) => use.length));
  return GROUPS.map((group) => {
    const lines = found
      .filter((point) => point.group === group)
      .map(({ use, target, directory }) => {
        const from = verbose && directory !== null ? ` in ${directory}` : "";
        return `  ${use.padEnd(width)}  ${target ?? "comes with propylon"}${from}\n`;
      });
    return lines.length === 0 ? "" : `${group}\n${lines.join("")}`;
  }).join("");
}
