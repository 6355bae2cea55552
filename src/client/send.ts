/** One request on a connection of its own, by the name of its protocol. */
import { ajpRequest } from "./ajp-request.ts";
import type { Answer } from "./answer.ts";
import { fastCgiRequest } from "./fastcgi-request.ts";
import type { ClientRequest } from "./request.ts";
import { scgiRequest } from "./scgi-request.ts";
import type { Target } from "./target.ts";

/** `secret` is AJP's. */
type Send = (target: Target, request: ClientRequest & { readonly secret?: string | undefined }) => Promise<Answer>;

export const SEND: Readonly<Record<"fastcgi" | "scgi" | "ajp", Send>> = {
  fastcgi: fastCgiRequest,
  scgi: scgiRequest,
  ajp: ajpRequest,
};
