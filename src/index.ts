/** The public door: every name a user may import. */
export { ERROR_CODES } from "./errors.ts";
