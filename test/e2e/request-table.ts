/** The requests that every sample app has to answer behind a front just as it does on node http. */
import type { Call } from "../support/http-client.ts";
import type { Configuration } from "./configurations.ts";

export const APPS = ["express", "connect", "koa", "fastify", "hono", "fetch"] as const;
export type App = (typeof APPS)[number];

export interface Row extends Call {
  readonly title: string;
  /** Apps whose framework has no such route or feature. */
  readonly not?: readonly App[];
  /** Why a front answers by itself or changes the request, so that the row says nothing about the gateway. */
  readonly frontDiffers?: (configuration: Configuration) => string | undefined;
}

const FORM = "application/x-www-form-urlencoded";
const JSON_TYPE = "application/json";
const STREAM = "application/x-stream";
/** Deterministic, longer than every window and buffer on the way but the last. */
const MEGABYTE = Buffer.from(Array.from({ length: 1024 * 1024 }, (_, i) => (i * 31 + (i >> 9)) % 253));

const get = (path: string, ...headers: string[]): Row => ({ title: `GET ${path}`, path, headers });
const as = (title: string, row: Row, more: Partial<Row> = {}): Row => ({ ...row, ...more, title });
const head = (path: string): Row => ({ title: `HEAD ${path}`, method: "HEAD", path });
const send = (method: string, path: string, type: string, body: NonNullable<Call["body"]>): Row => ({
  title: `${method} ${path} ${type}`,
  method,
  path,
  headers: ["Content-Type", type],
  body,
});

const apacheScgi = ({ server, protocol }: Configuration): string | undefined =>
  server === "apache" && protocol === "scgi" ? "mod_proxy_scgi answers 411 to a chunked upload" : undefined;
const ajpLighttpd = ({ server, protocol }: Configuration): string | undefined =>
  server === "lighttpd" && protocol === "ajp"
    ? "lighttpd's AJP has the decoded path, the normalized query and no PATCH"
    : undefined;
const mergedSlashes = (configuration: Configuration): string | undefined => {
  const { server, protocol, prefix, connector } = configuration;
  const apache = server === "apache" && protocol === "ajp" && prefix === "" && connector === undefined;
  return apache ? "mod_proxy_ajp sends merged slashes where it has the whole server" : ajpLighttpd(configuration);
};
const halfDuplex = ({ server, protocol, connector }: Configuration): string | undefined => {
  if (connector === "mod_fcgid") return "mod_fcgid sends the whole body before it reads";
  if (server === "nginx") return "nginx stops sending a body once the answer has begun";
  if (server === "caddy") return "Caddy sends the whole body before it reads";
  return server === "apache" && protocol === "scgi" ? "mod_proxy_scgi sends the whole body before it reads" : undefined;
};
const addingHeaders = ({ server }: Configuration): string | undefined =>
  server === "caddy" ? "Caddy sets X-Forwarded-* by itself, and an empty User-Agent where there is none" : undefined;
const decoding = ({ server }: Configuration): string | undefined =>
  server === "lighttpd" ? "lighttpd normalizes the query and refuses what it cannot" : undefined;

export const ROWS: readonly Row[] = [
  get("/"),
  get("/text"),
  get("/html"),
  get("/json"),
  get("/empty"),
  get("/bytes"),
  get("/big"),
  get("/length"),
  get("/stream"),
  get("/events"),
  head("/text"),
  head("/json"),
  head("/big"),
  head("/stream"),
  head("/status/404"),
  head("/missing"),

  ...[200, 201, 202, 204, 304, 400, 404, 409, 418, 451, 500, 503].map((status) => get(`/status/${status}`)),
  get("/redirect"),
  get("/redirect/path"),
  get("/redirect/url"),
  send("POST", "/redirect/see-other", FORM, "a=1"),

  get("/cookies/set"),
  as("one cookie", get("/cookies/read", "Cookie", "b=2")),
  as("cookies in one header", get("/cookies/read", "Cookie", 'a=1; b=2; c="x y"')),
  get("/headers/set"),
  // Hono's adapter hands the body to node as text, the library's own form as bytes, and node writes the head with it.
  as("bytes above 0x7f in the answer's headers", get("/headers/latin"), { not: ["fetch"] }),
  as("bytes above 0x7f before a body of bytes", get("/headers/latin", "X-Body", "bytes"), { not: ["fetch"] }),
  as("everyday headers", get("/headers", "Accept", "*/*", "User-Agent", "table/1", "Accept-Language", "de,en;q=0.5"), {
    frontDiffers: addingHeaders,
  }),
  as("a header twice", get("/headers", "X-Dup", "one", "X-Dup", "two, three"), { frontDiffers: addingHeaders }),
  as("a header that node keeps once", get("/headers", "User-Agent", "table/1", "Referer", "http://a.test/"), {
    frontDiffers: addingHeaders,
  }),
  as("forwarded headers", get("/headers", "X-Forwarded-For", "203.0.113.7", "X-Forwarded-Proto", "https"), {
    frontDiffers: addingHeaders,
  }),
  as("a long header", get("/headers", "X-Long", "x".repeat(6000)), { frontDiffers: addingHeaders }),
  as("header bytes above 0x7f", get("/headers", "X-Latin", "caf\xe9 \xff"), { frontDiffers: addingHeaders }),
  as("an authorized request", get("/auth", "Authorization", "Basic dXNlcjpwYXNz")),
  as("a bearer token", get("/auth", "Authorization", "Bearer abc.def.ghi")),
  get("/auth"),
  as("an attachment with a name in UTF-8", get("/download"), { not: ["connect", "fastify", "hono", "fetch"] }),

  get("/etag"),
  as("an ETag that matches", get("/etag", "If-None-Match", '"sample-1"')),
  as("an ETag that does not match", get("/etag", "If-None-Match", '"other"')),
  get("/modified"),
  as("not modified since", get("/modified", "If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")),
  get("/range"),
  as("a range", get("/range", "Range", "bytes=10-19")),
  as("a range past the end", get("/range", "Range", "bytes=250-999")),
  as("a range that cannot be", get("/range", "Range", "bytes=900-999")),

  get("/query"),
  as("an empty query", get("/query?"), { frontDiffers: ajpLighttpd }),
  get("/query?a=1&b=two&a=3"),
  get("/query?name=J%C3%BCrgen+K&plus=1%2B1&empty=&flag"),
  as("a question mark in the query", get("/query?next=/a?b=c")),
  as("escapes in the query that need none", get("/query?x=%41%7e"), { frontDiffers: decoding }),
  as("brackets in the query", get("/query?a[]=1&a[]=2&b[c]=3"), { frontDiffers: ajpLighttpd }),

  get("/path/plain"),
  get("/path/a%20b"),
  as("an encoded slash", get("/path/a%2Fb"), { frontDiffers: ajpLighttpd }),
  get("/path/%E2%98%83"),
  as("slashes in a row", get("/path//double//slash"), { frontDiffers: mergedSlashes }),
  as("a path with a slash at its end", get("/path/x/")),
  as("a path with marks of punctuation", get("/path/a;b=c,d@e:f$g&h+i!j*(k)'")),
  as("a path with a plus and a percent", get("/path/1+1%252")),
  as("POST to any path", send("POST", "/path/deep/er", "text/plain", "x")),
  { title: "PUT to any path", method: "PUT", path: "/path/deep", headers: ["Content-Length", "0"] },
  { title: "DELETE to any path", method: "DELETE", path: "/path/deep" },
  { title: "OPTIONS", method: "OPTIONS", path: "/options" },
  { title: "OPTIONS to any path", method: "OPTIONS", path: "/path/x" },

  send("POST", "/form", FORM, "name=J%C3%BCrgen&a=1&b=two+words&empty="),
  send("POST", "/json", JSON_TYPE, '{"a":[1,2,{"b":"ü"}]}'),
  as("JSON that is none", send("POST", "/json", JSON_TYPE, '{"a":')),
  send("POST", "/echo", "text/plain; charset=utf-8", "snow ☃ man"),
  as("a body of one byte", send("POST", "/echo", "application/octet-stream", "\x00")),
  as("an empty body", send("POST", "/digest", STREAM, "")),
  as("a body of 1 MiB", send("POST", "/digest", STREAM, MEGABYTE)),
  as("a body of 1 MiB piped back", send("POST", "/pipe", STREAM, MEGABYTE), { frontDiffers: halfDuplex }),
  as("a small body piped back", send("POST", "/pipe", STREAM, "there and back")),
  as("a chunked body", send("POST", "/digest", STREAM, ["one", "two", "three"]), { frontDiffers: apacheScgi }),
  as("a body that the app does not read", send("POST", "/unread", STREAM, "x".repeat(100_000))),
  as("a client that expects 100", send("POST", "/digest", STREAM, "abc"), {
    headers: ["Content-Type", STREAM, "Expect", "100-continue"],
  }),
  { title: "PUT", method: "PUT", path: "/item/7", headers: ["Content-Type", STREAM], body: "new" },
  {
    title: "PATCH",
    method: "PATCH",
    path: "/item/7",
    headers: ["Content-Type", STREAM],
    body: "part",
    frontDiffers: ajpLighttpd,
  },
  { title: "DELETE", method: "DELETE", path: "/item/7" },

  get("/throw"),
  get("/throw-async"),
  get("/missing"),
  as("a path below a file", get("/text/below")),
  as("POST where only GET is", send("POST", "/text", STREAM, "x")),
];
