/** node-fastcgi with one handler: `node node-fastcgi.mjs HANDLER PORT|PATH`. */
import { createServer } from "node-fastcgi";

import { HANDLERS } from "./handlers.mjs";

const [handler, address] = process.argv.slice(2);
createServer(HANDLERS[handler]).listen(
  /^\d+$/.test(address) ? { port: Number(address), host: "127.0.0.1" } : { path: address },
  () => console.log("ready"),
);
