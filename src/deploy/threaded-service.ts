/** The gateway process of the threaded mode: it owns every socket, and runs no code of the app. */
import type { Logger } from "../log.ts";
import { ThreadPool, type ThreadPoolOptions } from "../modes/threads/pool.ts";
import { REQUESTS_SHOWN } from "../report.ts";
import { slowEntry } from "../stacks/slow-entry.ts";
import { ThreadStacks } from "../stacks/thread-stack.ts";
import { LISTENER_FD } from "../supervisor/messages.ts";
import type { Duty, GatewayService } from "../supervisor/serve-under-supervisor.ts";
import type { GatewayWork } from "./gateway-work.ts";
import { type GatewayPlan, poolLimits, valueOf } from "./plan.ts";
import { SlowLog } from "./slow-log.ts";
import { closeGateway, gatewayReport, openGateway } from "./gateway.ts";

export async function threadedService(duty: Duty<GatewayWork>, log: Logger): Promise<GatewayService<GatewayWork>> {
  const { work, generation } = duty;
  const slowLog = new SlowLog(work.plan, log, duty.slow);
  // Before the first thread: see there.
  const stacks = new ThreadStacks();
  const pool = new ThreadPool<GatewayWork>({
    entry: new URL("./thread-main.js", import.meta.url),
    options: poolOptions(work.plan),
    log,
    slow: async (thread, exchanges, why) => {
      const requests = exchanges.slice(0, REQUESTS_SHOWN).map((exchange) => exchange.report);
      const sample = await stacks.sample(thread.worker);
      slowLog.write(slowEntry({ why, pid: process.pid, worker: thread.id, requests, sample }));
    },
    exhausted: () => duty.worn("there are as many threads as max_zombies allows that cannot be ended"),
  });
  await pool.start(work, generation);
  const gateway = await openGateway(work.plan, {
    dispatcher: pool,
    address: { fd: LISTENER_FD, exclusive: true },
    log,
  });
  return {
    reload: async (work, generation) => await pool.reload(work, generation, poolOptions(work.plan)),
    drain: async (handOver) => {
      await closeGateway(gateway, handOver);
      await pool.close();
      stacks.close();
      slowLog.close();
    },
    // A thread in a call that does not end keeps exit() waiting for it.
    exit: () => void (pool.size > 0 ? process.kill(process.pid, "SIGKILL") : process.exit()),
    hurry: () => void gateway.close(),
    resize: (delta) => pool.resize(delta),
    reopenLogs: () => {
      gateway.reopenLogs();
      slowLog.reopen();
      pool.reopenLogs();
    },
    dumpStacks: () => pool.dumpStacks(),
    expectProbe: (token) => gateway.expectProbe(token),
    report: () => {
      const report = gatewayReport(gateway);
      const { workers, queue, zombies, counters } = pool;
      return {
        ...report,
        counters: { ...report.counters, ...counters },
        threads: { workers, queue, zombies },
      };
    },
  };
}

function poolOptions(plan: GatewayPlan): ThreadPoolOptions {
  return {
    limits: poolLimits(plan),
    concurrency: valueOf(plan, "pool", "concurrency"),
    queueLimit: valueOf(plan, "pool", "queueLimit"),
    queueTimeout: valueOf(plan, "pool", "queueTimeout"),
    maxRequests: valueOf(plan, "pool", "maxRequests"),
    maxHeap: Math.ceil(valueOf(plan, "pool", "maxHeap") / 2 ** 20),
    maxZombies: valueOf(plan, "pool", "maxZombies"),
    slowlogTimeout: valueOf(plan, "pool", "slowlogTimeout"),
  };
}
