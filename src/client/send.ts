/** One request on a connection of its own, by the name of its protocol. */
import { ajpRequest } from "./ajp-request.ts";
import { fastCgiRequest } from "./fastcgi-request.ts";
import { scgiRequest } from "./scgi-request.ts";

export const SEND = { fastcgi: fastCgiRequest, scgi: scgiRequest, ajp: ajpRequest } as const;
