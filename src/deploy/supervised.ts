/** A server with a supervisor: what starts it, and what can be asked of it while it runs. */
import type { Logger } from "../log.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import { warnOfRoot } from "../supervisor/surroundings.ts";
import { type GatewayWork, siteOf } from "./gateway-work.ts";
import { checkListener } from "./listen.ts";
import { PidFile } from "./pid-file.ts";
import { TITLES } from "./plan.ts";
import type { RunningServer } from "./gateway.ts";
import { statusListen } from "./status-address.ts";
import { StatusDoors } from "./status-doors.ts";
import { statusOf } from "./status.ts";

/** Beside what any server can do. */
export interface SupervisedServer extends RunningServer {
  /** Reads the configuration anew and changes over without a gap. Rejects with why not; what served goes on. */
  reload(): Promise<void>;
  reopenLogs(): void;
  /** One worker more or less. */
  resize(delta: 1 | -1): void;
  /** Into the slow log. */
  dumpStacks(): void;
  /** Ends all processes at once. */
  kill(): void;
}

/**
 * @param file the configuration file, for the status; null where the library was told.
 * @throws ListenError; what the configuration or the app fails with
 */
export async function startSupervised(
  work: GatewayWork,
  reread: () => Promise<GatewayWork>,
  log: Logger,
  file: string | null = null,
): Promise<SupervisedServer> {
  const { protocol, mode, settings } = work.plan;
  checkListener(work.plan.address);
  warnOfRoot(settings.process.user, log);
  const supervisor = new Supervisor<GatewayWork>({
    entry: new URL("./gateway-main.js", import.meta.url),
    site: siteOf(work),
    reread: async () => {
      const next = await reread();
      // Both throw before anything changes.
      checkListener(next.plan.address);
      statusListen(next.plan);
      if (next.plan.mode === mode) return siteOf(next);
      throw new Error(`a change of the mode, from ${mode} to ${next.plan.mode}, needs a restart`);
    },
    log,
  });
  const { pidFile: pidPath } = settings.process;
  const pidFile = pidPath === undefined ? null : new PidFile(pidPath);
  const status = new StatusDoors({
    report: () => statusOf(supervisor, file),
    expectProbe: (token) => supervisor.expectProbe(token),
    ...{ file, log },
  });
  try {
    await status.follow(work.plan);
    await supervisor.start();
  } catch (error) {
    status.close();
    pidFile?.release();
    throw error;
  }
  try {
    pidFile?.publish();
  } catch (error) {
    await supervisor.close();
    status.close();
    pidFile?.release();
    throw error;
  }
  return {
    where: `${TITLES[protocol]} on ${supervisor.where}`,
    close: async () => {
      try {
        await supervisor.close();
      } finally {
        status.close();
        pidFile?.release();
      }
    },
    reload: async () => {
      await supervisor.reload();
      await status.follow(supervisor.site.work.plan);
    },
    reopenLogs: () => supervisor.reopenLogs(),
    resize: (delta) => supervisor.resize(delta),
    dumpStacks: () => supervisor.dumpStacks(),
    kill: () => {
      supervisor.kill();
      status.close();
      pidFile?.release();
    },
  };
}
