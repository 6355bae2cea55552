/** The sockets that systemd, or whoever keeps to sd_listen_fds(3), has passed to this process. */

export interface PassedSocket {
  readonly fd: number;
  /** FileDescriptorName of the .socket unit, which is the unit's own name by default. */
  readonly name: string;
}

/** SD_LISTEN_FDS_START. */
const FIRST = 3;
/** What sd_listen_fds_with_names(3) says of a socket without a name. */
const NAMELESS = "unknown";

let known: { readonly sockets: readonly PassedSocket[]; readonly why: string } | null = null;

/**
 * The sockets, in their order. The variables are read once and taken away: they are not for the app, nor for what it
 * starts.
 */
export function passedSockets(): readonly PassedSocket[] {
  return (known ??= take(process.env)).sockets;
}

/** For people: which there are, or why there are none. */
export function describePassed(): string {
  const { sockets, why } = (known ??= take(process.env));
  return sockets.length === 0 ? why : `there are ${sockets.map(({ fd, name }) => `${name} (${fd})`).join(", ")}`;
}

function take(env: NodeJS.ProcessEnv): { sockets: PassedSocket[]; why: string } {
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names = "" } = env;
  for (const name of ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete env[name];
  if (pid === undefined || count === undefined) {
    return { sockets: [], why: "systemd has passed none (LISTEN_FDS is not set)" };
  }
  if (Number(pid) !== process.pid) {
    const why = `those of LISTEN_FDS are for process ${pid}, and this is ${process.pid}: start node itself, not npx or a shell`;
    return { sockets: [], why };
  }
  const length = /^\d{1,5}$/.test(count) ? Number(count) : 0;
  const given = names.split(":");
  const sockets = Array.from({ length }, (_, i) => ({ fd: FIRST + i, name: given[i] || NAMELESS }));
  return { sockets, why: `LISTEN_FDS is ${count}` };
}
