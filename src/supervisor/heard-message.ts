/**
 * What a gateway process says, checked: in the forking mode the app shares the channel to the supervisor, and whatever
 * it sends there must not do more than be passed over.
 */
import { ERROR_CHARACTERS } from "../carried-error.ts";
import { REQUESTS_SHOWN, SLOW_ENTRY_CHARACTERS } from "../report.ts";
import type { ToSupervisor } from "./messages.ts";

type Check = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Check>>;

/** Counters, and worker threads, that a report may have. */
const MANY = 10_000;
const NAME_CHARACTERS = 1024;

const finite: Check = (value) => Number.isFinite(value);
const flag: Check = (value) => typeof value === "boolean";
const textOf =
  (characters: number): Check =>
  (value) =>
    typeof value === "string" && value.length <= characters;
const name = textOf(NAME_CHARACTERS);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check, most: number): Check =>
  (value) =>
    Array.isArray(value) && value.length <= most && value.every(check);
const shapeOf =
  (shape: Shape): Check =>
  (value) =>
    isRecord(value) && Object.entries(shape).every(([key, check]) => check(value[key]));
const numbersByName: Check = (value) => {
  if (!isRecord(value)) return false;
  const entries = Object.entries(value);
  return entries.length <= MANY && entries.every(([key, number]) => name(key) && finite(number));
};

const error: Check = shapeOf({
  name,
  message: textOf(ERROR_CHARACTERS),
  stack: textOf(ERROR_CHARACTERS),
  code: optional(name),
  place: optional(isRecord),
  cause: optional((value) => error(value)),
});
const memory = shapeOf({ rss: finite, heapUsed: finite, external: finite });
const loop = shapeOf({ utilization: finite, delay: finite });
const requests = listOf(
  shapeOf({ id: name, method: name, url: name, since: finite, worker: orNull(finite) }),
  REQUESTS_SHOWN,
);
const worker = shapeOf({
  id: finite,
  generation: finite,
  state: (value) => ["starting", "ready", "draining", "killed"].includes(value as string),
  startedAt: finite,
  heardAt: finite,
  suspect: flag,
  pid: orNull(finite),
  inFlight: finite,
  served: finite,
  memory,
  loop,
  requests,
});
const report = shapeOf({
  at: finite,
  memory,
  loop,
  cpu: finite,
  connections: finite,
  upgraded: finite,
  inFlight: finite,
  served: finite,
  requests,
  counters: numbersByName,
  threads: orNull(
    shapeOf({
      workers: listOf(worker, MANY),
      queue: shapeOf({ length: finite, limit: finite, oldest: finite }),
      zombies: finite,
    }),
  ),
});

const MESSAGES: Readonly<Record<ToSupervisor["type"], Shape>> = {
  here: {},
  ready: {},
  failed: { error },
  reloaded: { generation: finite },
  reloadFailed: { generation: finite, error },
  report: { report },
  slow: { entry: textOf(SLOW_ENTRY_CHARACTERS) },
  leaving: {},
  worn: { why: name },
};

/** Null for what no gateway process of ours says. Never throws. */
export function heardMessage(value: unknown): ToSupervisor | null {
  if (!isRecord(value) || typeof value["type"] !== "string" || !Object.hasOwn(MESSAGES, value["type"])) return null;
  const shape = MESSAGES[value["type"] as ToSupervisor["type"]];
  return shapeOf(shape)(value) ? (value as unknown as ToSupervisor) : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
