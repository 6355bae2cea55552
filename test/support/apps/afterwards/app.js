/** Does things after its answers, and writes down when: `test/e2e/after-response.test.ts`. */
import { appendFileSync, existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterResponse, requestContext } from "propylon";

export function makeApp({ here }) {
  const note = (what) => appendFileSync(`${here}/notes`, `${what}\n`);
  const hooks = {
    /** Until the test says so. */
    wait: async () => {
      note("wait begun");
      while (!existsSync(`${here}/go`)) await sleep(10);
      note("wait ended");
    },
    /** Nothing else in this thread goes on meanwhile. */
    block: () => {
      note("block begun");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
      note("block ended");
    },
    soon: async () => {
      note("soon begun");
      await sleep(400);
      note("soon ended");
    },
    never: async () => {
      note("never begun");
      await new Promise((resolve) => setInterval(resolve, 2 ** 31 - 1));
    },
    throw: () => {
      throw new Error("thrown afterwards");
    },
    reject: async () => await Promise.reject(new Error("rejected afterwards")),
    context: () => note(`context ${requestContext()?.request.url}`),
  };
  return (req, res) => {
    const url = new URL(req.url, "http://localhost");
    for (const name of url.pathname.slice(1).split(",")) {
      if (name in hooks) afterResponse(res, hooks[name]);
    }
    if (url.searchParams.has("fail")) throw new Error("the handler has failed");
    if (req.method === "HEAD" || url.searchParams.has("empty")) res.end();
    else res.end("x".repeat(Number(url.searchParams.get("bytes") ?? 2)));
  };
}
