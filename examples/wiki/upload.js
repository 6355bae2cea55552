/** Uploads: a picture from a multipart form to a file, streamed, its type read from its own bytes. */
import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Transform } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { Busboy } from "@fastify/busboy";
import { Refusal } from "./refusal.js";

/** In bytes. */
export const MAX_PICTURE = 8 * 1024 * 1024;
const MAX_FORM = MAX_PICTURE + 64 * 1024;

const SIGNATURES = [
  { extension: "png", pattern: /^\x89PNG\r\n\x1a\n/ },
  { extension: "jpg", pattern: /^\xff\xd8\xff/ },
  { extension: "gif", pattern: /^GIF8[79]a/ },
  { extension: "webp", pattern: /^RIFF[^]{4}WEBP/ },
];
const SIGNATURE_LENGTH = 12;

/** The names that stored pictures have: half of a SHA-256, so the same picture is stored once. */
export const PICTURE_ID = /^[0-9a-f]{32}\.(?:png|jpg|gif|webp)$/;

/**
 * Reads a form of text fields followed by one file.
 *
 * @param {import("express").Request} req
 * @param {string} folder  where the picture is put
 * @param {(fields: Map<string, string>) => boolean} allows  asked before a byte of the file is kept
 * @returns {Promise<{ fields: Map<string, string>, picture: { id: string, bytes: number, fileName: string } }>}
 * @throws {Refusal} 400, 403, 413, 415
 */
export async function receivePicture(req, folder, allows) {
  if (Number(req.headers["content-length"]) > MAX_FORM) throw tooLarge();
  const parser = multipartParser(req.headers);
  /** @type {Map<string, string>} */
  const fields = new Map();
  /** @type {Promise<{ id: string, bytes: number, fileName: string }> | undefined} */
  let kept;
  parser.on("field", (name, value) => fields.set(name, value));
  parser.on("file", (_name, file, fileName = "") => {
    // A body that breaks off inside the file is the parser's failure too, and told there.
    file.on("error", () => {});
    parser.once("close", () => file.destroy());
    kept = allows(fields) ? keep(file, folder, fileName) : Promise.reject(new Refusal(403, "forgedForm"));
    kept.catch((error) => (error.syscall === undefined ? file.resume() : parser.destroy(error)));
  });
  // No pipeline(): it would destroy the request, with it the connection, and nobody would read why.
  req.once("close", () => req.complete || parser.destroy(new Error("the client left")));
  req.pipe(parser);
  try {
    await finished(parser);
  } catch (error) {
    req.unpipe(parser).resume();
    throw /** @type {any} */ (error).syscall === undefined ? new Refusal(400, "badForm", { cause: error }) : error;
  }
  if (kept === undefined) throw new Refusal(400, "noPicture");
  return { fields, picture: await kept };
}

/** @param {import("node:http").IncomingHttpHeaders} headers */
function multipartParser(headers) {
  if (!/^multipart\/form-data\b/i.test(headers["content-type"] ?? "")) throw new Refusal(415, "badForm");
  try {
    const limits = { fields: 4, fieldSize: 4096, files: 1, fileSize: MAX_PICTURE, parts: 6, headerPairs: 20 };
    return new Busboy({ headers: /** @type {any} */ (headers), limits });
  } catch (error) {
    throw new Refusal(400, "badForm", { cause: error });
  }
}

/**
 * @param {import("@fastify/busboy").BusboyFileStream} file
 * @param {string} folder
 * @param {string} fileName
 */
async function keep(file, folder, fileName) {
  await mkdir(folder, { recursive: true });
  const draft = join(folder, `${randomUUID()}.part`);
  const hash = createHash("sha256");
  let head = "";
  let bytes = 0;
  const measure = new Transform({
    transform(chunk, _encoding, done) {
      if (head.length < SIGNATURE_LENGTH) head += chunk.toString("latin1", 0, SIGNATURE_LENGTH);
      bytes += chunk.length;
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    await pipeline(file, measure, createWriteStream(draft, { flags: "wx", mode: 0o640 }));
    if (file.truncated) throw tooLarge();
    if (bytes === 0) throw new Refusal(400, "noPicture");
    const type = SIGNATURES.find(({ pattern }) => pattern.test(head));
    if (type === undefined) throw new Refusal(415, "notAPicture");
    const id = `${hash.digest("hex").slice(0, 32)}.${type.extension}`;
    await rename(draft, join(folder, id));
    return { id, bytes, fileName };
  } finally {
    await rm(draft, { force: true });
  }
}

function tooLarge() {
  return new Refusal(413, "tooLarge");
}
