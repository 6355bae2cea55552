/** A log that keeps its errors and warnings, but for the one about who runs the tests. */
import { type Logger, silentLogger } from "../../src/log.ts";

export function collectingLog(lines: string[]): Logger {
  const keep = (line: string): void => {
    if (!line.startsWith("THE APP RUNS AS ROOT")) lines.push(line);
  };
  return { ...silentLogger, error: keep, warn: keep };
}
