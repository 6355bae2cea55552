/** The wiki's own files: sent from `public/`, under addresses that change with their contents. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import express from "express";

const FOLDER = new URL("public/", import.meta.url);

/** @type {ReadonlyMap<string, string>} */
const VERSIONS = new Map(
  readdirSync(FOLDER).map((name) => {
    const digest = createHash("sha256").update(readFileSync(new URL(name, FOLDER)));
    return [name, digest.digest("base64url").slice(0, 8)];
  }),
);

/** The address of a file below the mount. @param {string} name */
export function asset(name) {
  return `/static/${name}?v=${VERSIONS.get(name)}`;
}

/** Sends `/static/…`; kept by browsers for a year. */
export function assets() {
  return express.static(fileURLToPath(FOLDER), { index: false, redirect: false, maxAge: "365d", immutable: true });
}
