import type { Logger } from "../log.ts";
import type { Duty, GatewayService } from "../supervisor/serve-under-supervisor.ts";
import type { GatewayWork } from "./gateway-work.ts";
export async function threadedService(_duty: Duty<GatewayWork>, _log: Logger): Promise<GatewayService<GatewayWork>> {
  throw new Error("no");
}
