/** node's own http server with one handler: `node node-http.mjs HANDLER PORT|PATH`. */
import { createServer } from "node:http";

import { HANDLERS } from "./handlers.mjs";

const [handler, address] = process.argv.slice(2);
createServer(HANDLERS[handler]).listen(
  /^\d+$/.test(address) ? { port: Number(address), host: "127.0.0.1" } : { path: address },
  () => console.log("ready"),
);
