/** Whether a web server on another machine may connect. */
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";

import { isPrivate } from "../gateway/listen-address.ts";
import { PeerGuard } from "../gateway/peers.ts";
import type { Context } from "./context.ts";
import { type Finding, found } from "./finding.ts";

export function checkAddresses({ patient, asked, skip }: Context): Finding[] {
  const { frontHost } = asked;
  if (frontHost === undefined || isHere(frontHost)) return [];
  if ("fd" in patient.address) {
    skip(`whether ${frontHost} may connect (the socket is handed over to the server)`);
    return [];
  }
  if (isPrivate(patient.address)) {
    const seen = `the web server is ${frontHost}, and the server listens for this machine alone`;
    const cure = `write "host = 0.0.0.0", or this machine's address, and "allowed_clients = ${frontHost}" into the section`;
    return [found("LISTENS_HERE_ONLY", seen, cure)];
  }
  if (new PeerGuard(patient.allowedClients).covers(frontHost)) return [];
  const list = [...patient.allowedClients, frontHost].join(" ");
  const seen = `connections from ${frontHost} are refused: allowed_clients is "${patient.allowedClients.join(" ")}"`;
  return [found("FRONT_NOT_ALLOWED", seen, `write "allowed_clients = ${list}" into the server's section, and reload`)];
}

function isHere(address: string): boolean {
  if (isIP(address) === 4 && address.startsWith("127.")) return true;
  return Object.values(networkInterfaces()).some((each) => each?.some((own) => own.address === address) === true);
}
