/** Names requests, so that the lines of several logs can be put together. */
import { randomBytes } from "node:crypto";

export class RequestIds {
  /** Of this gateway, among all that ever write to one log. */
  readonly #prefix = `${randomBytes(6).toString("base64url")}-`;
  #count = 0;

  /** Eight characters, a hyphen and a number in base 36. */
  next(): string {
    return this.#prefix + (this.#count++).toString(36);
  }
}
