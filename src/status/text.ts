/** A report as text for a terminal. */
import type { StatusReport } from "../report.ts";
import { summaryOf } from "./summary.ts";

export interface TextOptions {
  /** An older report of the same server: then rates are shown too. */
  readonly earlier?: StatusReport | null | undefined;
  /** Lines are cut to so many characters. Default: as long as they are. */
  readonly width?: number | undefined;
}

const GAP = "  ";

/** Ends in a newline; holds no control character beside newlines, whatever was asked of the server. */
export function textOf(
  report: StatusReport,
  { earlier = null, width = Number.MAX_SAFE_INTEGER }: TextOptions = {},
): string {
  const { title, state, facts, columns, rows, counters, slowLog } = summaryOf(report, earlier);
  const lines = [`${title}: ${state}`, ""];
  const names = Math.max(...facts.map(({ name }) => name.length));
  for (const { name, text, alarming } of facts)
    lines.push(`${name.padEnd(names)}${alarming ? " ! " : GAP + " "}${text}`);
  if (rows.length > 0) {
    const titles = columns.map(({ title }) => title.toUpperCase());
    const numeric = columns.map(({ numeric }) => numeric);
    lines.push("", ...table([titles, ...rows.map(({ cells }) => cells)], numeric));
  }
  if (counters.length > 0) {
    lines.push("", "COUNTERS");
    const cells = counters.map(([name, count, rate]) => [name, count, ...(rate === "" ? [] : [`${rate}/s`])]);
    lines.push(...table(cells, [false, true, true]));
  }
  if (slowLog.length > 0) lines.push("", "SLOW LOG", ...slowLog.flat());
  return lines.map((line) => `${cut(line.trimEnd(), width)}\n`).join("");
}

function table(rows: readonly (readonly string[])[], numeric: readonly boolean[]): string[] {
  const widths = numeric.map((_, at) => Math.max(...rows.map((cells) => cells[at]?.length ?? 0)));
  return rows.map((cells) =>
    cells
      .map((cell, at) => (numeric[at] === true ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)))
      .join(GAP)
      .trimEnd(),
  );
}

function cut(line: string, width: number): string {
  return line.length > width ? `${line.slice(0, width - 1)}…` : line;
}
