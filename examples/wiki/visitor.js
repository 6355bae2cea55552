/** The visitor: who is asking, and whether a form really comes from them. */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

const AUTHOR_COOKIE = "wiki_author";
const VISITOR_COOKIE = "wiki_visitor";
const YEAR = 365 * 24 * 3600 * 1000;
const MAX_NAME = 60;

/** The name the web server vouches for, if it asked for one. @param {import("express").Request} req */
export function remoteUser(req) {
  return req.cgi?.REMOTE_USER || undefined;
}

/** Who writes: REMOTE_USER, else the name this browser last gave, else "". @param {import("express").Request} req */
export function authorOf(req) {
  return remoteUser(req) ?? cleanName(cookie(req, AUTHOR_COOKIE) ?? "");
}

/**
 * Takes the name from a form and lets the browser remember it. It never outweighs REMOTE_USER.
 *
 * @param {import("express").Request} req
 * @param {import("express").Response} res
 * @param {string} name
 */
export function rememberAuthor(req, res, name) {
  const author = remoteUser(req) ?? cleanName(name);
  if (remoteUser(req) === undefined && author !== "" && author !== authorOf(req))
    res.cookie(AUTHOR_COOKIE, author, { ...cookieOptions(req), maxAge: YEAR });
  return author || "Someone";
}

/**
 * Guards the forms against other sites: a form carries a signature of a random cookie, and the browser's word on where
 * it comes from (`Sec-Fetch-Site`, else `Origin`) must be this site.
 */
export class FormGuard {
  #secret;

  /** @param {string} secret */
  constructor(secret) {
    this.#secret = secret;
  }

  /**
   * The token for a form in the answer; sets the cookie if need be.
   *
   * @param {import("express").Request} req
   * @param {import("express").Response} res
   */
  token(req, res) {
    let visitor = cookie(req, VISITOR_COOKIE);
    if (visitor === undefined || !/^[\w-]{22}$/.test(visitor)) {
      visitor = randomBytes(16).toString("base64url");
      res.cookie(VISITOR_COOKIE, visitor, cookieOptions(req));
    }
    return this.#sign(visitor);
  }

  /** @param {import("express").Request} req  @param {unknown} token */
  accepts(req, token) {
    const visitor = cookie(req, VISITOR_COOKIE);
    if (visitor === undefined || typeof token !== "string" || !fromThisSite(req)) return false;
    const expected = Buffer.from(this.#sign(visitor));
    const given = Buffer.from(token);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  /** @param {string} visitor */
  #sign(visitor) {
    return createHmac("sha256", this.#secret).update(`form ${visitor}`).digest("base64url");
  }
}

/** @param {import("express").Request} req */
function fromThisSite(req) {
  const site = req.headers["sec-fetch-site"];
  if (site !== undefined) return site === "same-origin" || site === "none";
  const { origin, host } = req.headers;
  if (origin === undefined) return true;
  if (host === undefined || !URL.canParse(origin)) return false;
  const from = new URL(origin);
  // The same scheme's default port is left out on both sides.
  const own = `${from.protocol}//${host}`;
  return URL.canParse(own) && new URL(own).host === from.host;
}

/** @param {import("express").Request} req  @returns {import("express").CookieOptions} */
function cookieOptions(req) {
  return { path: req.baseUrl || "/", httpOnly: true, sameSite: "lax", secure: req.secure };
}

/** The first of that name: browsers send the one with the longest path first. @param {import("express").Request} req  @param {string} name */
function cookie(req, name) {
  for (const pair of (req.headers.cookie ?? "").split(/[;,]\s*/)) {
    if (!pair.startsWith(`${name}=`)) continue;
    try {
      return decodeURIComponent(pair.slice(name.length + 1));
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** @param {string} text */
function cleanName(text) {
  return text
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, MAX_NAME)
    .toWellFormed();
}
