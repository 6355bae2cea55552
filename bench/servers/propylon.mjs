/** propylon with one handler: `node propylon.mjs HANDLER PORT|PATH [multiplexed]`. */
import { createServer } from "../../dist/index.js";
import { HANDLERS } from "./handlers.mjs";

const [handler, address, multiplexed] = process.argv.slice(2);
createServer(HANDLERS[handler], { multiplexed: multiplexed !== undefined }).listen(
  /^\d+$/.test(address) ? { port: Number(address), host: "127.0.0.1" } : { path: address },
  () => console.log("ready"),
);
