import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import type { Context, Patient } from "../../../src/doctor/context.ts";
import { FINDING_CODES } from "../../../src/doctor/finding.ts";
import { checkServer } from "../../../src/doctor/server.ts";
import { usualReport } from "../../support/status-reports.ts";

describe("checkServer", () => {
  const report = { ...usualReport(), file: "/nowhere/app.ini" };
  const patient: Patient = {
    ...{ file: report.file, protocol: "fastcgi", mode: report.mode, address: { port: 6500 }, secret: undefined },
    ...{
      earlyHints: false,
      mount: "auto",
      adjusts: { place: false, client: false },
      statusPath: null,
      pidFile: null,
      backlog: 511,
      maxConnections: 1,
      maxBodyBytes: 0,
    },
    ...{ allowedClients: [], limits: report.limits },
  };
  const bounds = { short: 1, long: 1 };
  const { signal } = new AbortController();
  const contextOf = (version: string): Context => ({
    ...{ patient, report, bounds, signal, asked: { version }, target: null, skip: () => {} },
  });

  it("sees that another version of propylon is running", () => {
    expect(checkServer(contextOf(report.version)).map(({ code }) => code)).not.toContain("SERVER_OTHER_VERSION");
    expect(checkServer(contextOf("999.0.0")).map(({ code }) => code)).toContain("SERVER_OTHER_VERSION");
  });
});

describe("the page about the doctor", () => {
  it("has a row for each code, with its weight", () => {
    const page = readFileSync(new URL("../../../docs/doctor.md", import.meta.url), "utf8");
    const rows = Array.from(page.matchAll(/^\| `([A-Z_]+)` +\| (\w+) /gm), ([, code, weight]) => [code, weight]);
    const codes = Object.entries(FINDING_CODES).map(([code, [severity]]) => [code, severity]);
    expect(rows.length).toBe(codes.length);
    expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(codes));
  });
});
