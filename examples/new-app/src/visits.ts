/** How often a browser has been here: in a cookie that is signed, so that nobody can make one up. */
import { createHmac, timingSafeEqual } from "node:crypto";

const COOKIE = /(?:^|; *)visits=(\d{1,9})\.([\w-]{43})(?:;|$)/;

/** 0 if there is no such cookie, or if it was not signed with `secret`. */
export function visitsSoFar(cookies: string, secret: string): number {
  const [, count, signature] = COOKIE.exec(cookies) ?? [];
  if (count === undefined || signature === undefined) return 0;
  return timingSafeEqual(Buffer.from(signature), Buffer.from(sign(count, secret))) ? Number(count) : 0;
}

/** The value of a `Set-Cookie` header for everything below `path`. */
export function visitsCookie(count: number, secret: string, path: string): string {
  return `visits=${count}.${sign(String(count), secret)}; Path=${path}; HttpOnly; SameSite=Lax`;
}

function sign(count: string, secret: string): string {
  return createHmac("sha256", secret).update(count).digest("base64url");
}
