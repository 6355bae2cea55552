/** An app for `propylon serve`: `handler` of its section says which, `steps` how much `work` it does. */
import { threadId } from "node:worker_threads";

import { burn } from "./burn.mjs";
import { HANDLERS } from "./handlers.mjs";

/** PasteDeploy's app factory. */
export function makeApp(globalConf, { handler, steps = "0" }) {
  const handlers = {
    ...HANDLERS,
    /** Says which worker it is. */
    who: (req, res) => res.end(`${process.pid} ${threadId}`),
    work: (req, res) => {
      burn(Number(steps));
      HANDLERS.hello(req, res);
    },
  };
  return handlers[handler];
}
