/** What a gateway process runs under its supervisor. */
import { type Logger, silentLogger, stderrLogger } from "../log.ts";
import { serveUnderSupervisor } from "../supervisor/serve-under-supervisor.ts";
import { enterSurroundings } from "../supervisor/surroundings.ts";
import { forkedService } from "./forked-service.ts";
import type { GatewayWork } from "./gateway-work.ts";
import { threadedService } from "./threaded-service.ts";

// Whoever read them may be gone; that ends no requests.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

let log: Logger = silentLogger;

serveUnderSupervisor<GatewayWork>(
  async (duty) => {
    const { plan, level } = duty.work;
    const { user, group, chdir, processUmask: umask } = plan.settings.process;
    log = stderrLogger(level);
    enterSurroundings({ user, group, chdir, umask });
    return await (plan.mode === "thread" ? threadedService(duty, log) : forkedService(duty, log));
  },
  () => log,
);
