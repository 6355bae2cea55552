/** Sends a file as the answer: by the web server where it may, else from this process. */
import { promises } from "node:fs";
import type { ServerResponse } from "node:http";
import { extname, isAbsolute, join, resolve } from "node:path";

import { contentType } from "mime-types";

import { HAND_OVER } from "../app/exchange-socket.ts";
import { encodePath } from "../app/sendfile-front.ts";
import { FileError } from "../errors.ts";

export interface SendFileOptions {
  /** The directory that `path` is below, whatever a client has put into it. Default: none, and `path` is absolute. */
  readonly root?: string;
  /** Files and directories below `root` whose names begin with a dot are there. Default false. */
  readonly dotfiles?: boolean;
  /** Milliseconds for `Cache-Control: public, max-age`. Default: the header is left alone. */
  readonly maxAge?: number;
}

/** What an app without a file gets from the system. */
const NOT_THERE: ReadonlySet<unknown> = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP"]);
/** Answers of a conditional or partial request that have no body here. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([412, 416]);

/**
 * Answers with a file. `path` is a name as the system has it, not percent-encoded. Content-Type comes from its ending
 * unless it is set; ranges, ETag, Last-Modified, conditional requests and HEAD are seen to.
 *
 * Where the server's section says that the web server may send files (`sendfile`), the app's answer only names the file,
 * and the web server sends it, ranges and all. Else it is streamed, as everywhere without propylon in front. Symbolic
 * links are followed.
 *
 * Resolves when the answer is over, be it that the client has left. Await or return it: what it rejects with is then
 * answered as what an app throws, and a FileError with 404.
 *
 * @example
 * ```ts
 * import { mkdirSync, writeFileSync } from "node:fs";
 * import { createServer, sendFile } from "propylon";
 *
 * mkdirSync("files", { recursive: true });
 * writeFileSync("files/note.txt", "noted\n");
 * const server = createServer(async (req, res) => {
 *   await sendFile(res, decodeURIComponent(req.url ?? ""), { root: "files" });
 * });
 * server.listen("/run/propylon/app.sock");
 * // GET /note.txt: noted
 * ```
 *
 * @throws FileError FILE_NOT_FOUND for what is no file; FILE_OUTSIDE_ROOT for `..`, NUL and dotfiles; the system's error for
 * a file that cannot be read.
 */
export async function sendFile(response: ServerResponse, path: string, options: SendFileOptions = {}): Promise<void> {
  const file = placeOf(path, options);
  await needFile(file, path);
  if (response.closed) return;
  if (response.headersSent) throw new Error("sendFile: the head of the answer has been sent already");
  if (!response.hasHeader("Content-Type")) {
    response.setHeader("Content-Type", contentType(extname(file)) || "application/octet-stream");
  }
  if (options.maxAge !== undefined && !response.hasHeader("Cache-Control")) {
    response.setHeader("Cache-Control", `public, max-age=${Math.floor(options.maxAge / 1000)}`);
  }
  if (response.statusCode === 200 && handOver(response, file)) {
    response.removeHeader("Content-Length");
    const over = overOf(response);
    response.end();
    await over;
  } else {
    await stream(response, file, path);
  }
}

function placeOf(path: string, { root, dotfiles = false }: SendFileOptions): string {
  const parts = path.split("/");
  const refused =
    path.includes("\0") || parts.includes("..") || (root !== undefined && !dotfiles && parts.some(isDotfile));
  if (refused) throw new FileError("FILE_OUTSIDE_ROOT", `${JSON.stringify(path)} is no name that may be sent`);
  if (root !== undefined) return join(resolve(root), path);
  if (isAbsolute(path)) return join(path);
  throw new TypeError(`sendFile: ${JSON.stringify(path)} is not absolute, and there is no root`);
}

function isDotfile(part: string): boolean {
  return part.startsWith(".") && part !== ".";
}

async function needFile(file: string, path: string): Promise<void> {
  const found = await promises.stat(file).catch((error: NodeJS.ErrnoException) => {
    if (NOT_THERE.has(error.code)) throw notFound(path, error);
    throw error;
  });
  if (!found.isFile() || file.endsWith("/")) throw notFound(path);
}

function notFound(path: string, cause?: unknown): FileError {
  return new FileError("FILE_NOT_FOUND", `${JSON.stringify(path)} is no file`, { cause });
}

/** True if the web server sends it. Only the gateway's own configuration tells, never a header. */
function handOver(response: ServerResponse, file: string): boolean {
  const socket = response.req.socket as { [HAND_OVER]?: (file: string) => boolean };
  return socket[HAND_OVER]?.(file) ?? false;
}

async function stream(response: ServerResponse, file: string, path: string): Promise<void> {
  const { default: send } = await import("send");
  if (response.closed) return;
  await new Promise<void>((done, reject) => {
    overOf(response).then(done, reject);
    const settings = { root: "/", dotfiles: "allow", index: false, cacheControl: false } as const;
    send(response.req, encodePath(file), settings)
      .on("directory", () => reject(notFound(path)))
      .on("error", (error: Error & { status: number; headers?: Record<string, string> }) => {
        if (response.headersSent) {
          response.destroy();
          reject(error);
        } else if (WITHOUT_BODY.has(error.status)) {
          response.removeHeader("Content-Type");
          response.writeHead(error.status, error.headers).end();
        } else reject(error.status === 404 ? notFound(path, error) : error);
      })
      .pipe(response);
  });
}

async function overOf(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => response.once("close", resolve));
}
