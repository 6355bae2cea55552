/** `propylon doctor`: looks at everything between the browser and the app, names what is wrong and what to do. */
import { isIP } from "node:net";

import { describeWhole } from "../deploy/describe-whole.ts";
import type { Asked, Patient } from "../doctor/context.ts";
import { type Diagnosis, examine } from "../doctor/examine.ts";
import { accountOf } from "../doctor/machine.ts";
import { escapeControls } from "../log.ts";
import { parseVariables, splitTarget } from "./arguments.ts";
import { UsageError, exitCodeOf, reportFailure } from "./failure.ts";
import { packageVersion } from "./version.ts";

export interface DoctorFlags {
  readonly url?: string;
  readonly serverName?: string;
  readonly appName?: string;
  readonly frontUser?: string;
  readonly frontHost?: string;
  /** Bytes. */
  readonly upload?: string;
  /** Seconds. */
  readonly timeout: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

const EXIT_HEALTHY = 0;
const EXIT_FAULTS = 4;
/** Milliseconds for a connection, and for what is answered without the app. */
const SHORT = 2_000;
/** Milliseconds for the app. */
const LONG = 10_000;
const MAX_TIMEOUT = 3_600;
const MAX_UPLOAD = 1024 * 1024 * 1024;

/** Sets `process.exitCode`: 0 without a fault, 4 with one, 2 for wrong usage or a fault of the file. */
export async function doctor(target: string, variables: readonly string[], flags: DoctorFlags): Promise<void> {
  try {
    const diagnosis = await diagnose(target, variables, flags);
    if (flags.quiet !== true) process.stdout.write(flags.json === true ? jsonOf(diagnosis) : textOf(diagnosis));
    const isFaulty = diagnosis.findings.some(({ severity }) => severity === "fault");
    process.exitCode = isFaulty ? EXIT_FAULTS : EXIT_HEALTHY;
  } catch (error) {
    reportFailure(error, flags.verbose === true);
    process.exitCode = exitCodeOf(error);
  }
}

/** @throws UsageError, ConfigError */
export async function diagnose(target: string, variables: readonly string[], flags: DoctorFlags): Promise<Diagnosis> {
  const [file, fragment] = splitTarget(target);
  const total = Number(flags.timeout) * 1000;
  if (!(total > 0 && total <= MAX_TIMEOUT * 1000)) {
    throw new UsageError(`--timeout: "${flags.timeout}" is no number of seconds above 0, at most ${MAX_TIMEOUT}`);
  }
  const asked = askedOf(flags);
  const { serverName, appName = fragment } = flags;
  const described = await describeWhole(file, { serverName, appName, globalConf: parseVariables(variables) });
  const { gateway, ...rest } = described;
  const { secret, backlog, maxConnections, maxBodyBytes, allowedClients } = gateway;
  const patient: Patient = {
    ...rest,
    ...{ backlog, maxConnections, maxBodyBytes, allowedClients },
    secret: secret === "" ? undefined : Buffer.from(secret).toString("latin1"),
  };
  const bounds = { short: Math.min(SHORT, total / 4), long: Math.min(LONG, total / 2) };
  return await examine(patient, asked, { bounds, total });
}

function askedOf({ url, frontUser, frontHost, upload }: DoctorFlags): Asked {
  if (frontUser !== undefined && accountOf(frontUser) === null) {
    throw new UsageError(`--front-user: there is no user ${frontUser} in /etc/passwd`);
  }
  if (frontHost !== undefined && isIP(frontHost) === 0) {
    throw new UsageError(`--front-host: "${frontHost}" is no IP address`);
  }
  if (upload !== undefined && url === undefined)
    throw new UsageError("--upload goes through the web server: name its --url");
  return { frontUser, frontHost, url: urlOf(url), upload: bytesOf(upload), version: packageVersion() };
}

function urlOf(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "" || url.username !== "") {
    throw new UsageError(
      `--url: "${text}" is no URL of an app's root, such as http://localhost/ or https://example.org/wiki`,
    );
  }
  return url;
}

function bytesOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = Number(text);
  if (Number.isInteger(bytes) && bytes > 0 && bytes <= MAX_UPLOAD) return bytes;
  throw new UsageError(`--upload: "${text}" is no number of bytes from 1 to ${MAX_UPLOAD}`);
}

function jsonOf({ findings, skipped }: Diagnosis): string {
  return `${JSON.stringify({ findings, skipped }, null, 2)}\n`;
}

function textOf({ findings, skipped }: Diagnosis): string {
  const paragraphs = findings.map(
    ({ code, severity, seen, cure }) => `${severity} ${code}\n  seen: ${seen}\n  do:   ${cure}\n`,
  );
  const faults = findings.filter(({ severity }) => severity === "fault").length;
  const hints = findings.length - faults;
  const notes = skipped.map((what) => `not checked: ${what}\n`).join("");
  const total = findings.length === 0 ? "nothing wrong was found" : `faults: ${faults}, hints: ${hints}`;
  return [...paragraphs.map((each) => `${escapeControls(each)}\n`), escapeControls(notes), `${total}\n`].join("");
}
