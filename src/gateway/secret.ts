/** The secret by which an AJP web server is told from anybody else: when there has to be one, and whether it is that. */
import { createHash, timingSafeEqual } from "node:crypto";

import { ConfigError, type ConfigPlace } from "../errors.ts";

/** What is wrong with an AJP server that others than this machine can reach. */
export function secretMissing(place: ConfigPlace = { key: "secret" }): ConfigError {
  const message =
    "AJP on an address that others than this machine can reach needs a secret; mod_proxy_ajp sends secret=";
  return new ConfigError("CONFIG_BAD_VALUE", message, place);
}

/** Whether `given` (latin1) is the configured secret, in a time that says nothing of it: digests are of one length. */
export function isSecret(given: string | null, secret: string): boolean {
  return timingSafeEqual(digest(Buffer.from(given ?? "", "latin1")), digest(Buffer.from(secret))) && given !== null;
}

function digest(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
