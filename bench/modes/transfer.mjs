/** 1 GiB each way through a thread: peak memory of the process that owns the sockets and the thread. */
import { MIB, inMib } from "../tools.mjs";
import { TRANSFERS, peakOfTransfer } from "../transfers.mjs";
import { childrenOf } from "./process-tree.mjs";
import { serve } from "./serving.mjs";

/** They are slow on purpose. */
const SERVER = { slowlog_timeout: 0 };
const LIMIT = 96 * MIB;

export const TRANSFER_ROW = {
  name: "transfer",
  title: "1 GiB through thread(1): peak of its process above what it held after 1,000 requests",
  async run({ quick, say, hold }) {
    for (const unix of quick ? [true] : [true, false]) {
      for (const each of TRANSFERS) {
        const { address, pid, stop } = await serve({
          mode: "thread",
          unix,
          server: SERVER,
          app: { handler: each.handler },
        });
        try {
          const [gateway] = childrenOf(pid);
          const { before, growth, seconds } = await peakOfTransfer(each, { address, pid: gateway });
          const title = `${each.title}, ${unix ? "Unix socket" : "TCP"}`;
          say(`${title.padEnd(36)}${inMib(before).padStart(4)} MiB before, ${seconds.toFixed(1)} s`);
          hold(`MiB above, ${title}`, growth / MIB, { atMost: LIMIT / MIB, digits: 0 });
        } finally {
          await stop();
        }
      }
    }
  },
};
