/** The wiki's memory: pages, their revisions and the list of pictures, in one SQLite file. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import Database from "libsql";
import { plainText } from "./markup.js";

/**
 * @typedef {object} Revision
 * @property {number} id  grows by one with each edit anywhere in the wiki
 * @property {string} title
 * @property {number} number  1 for a page's first revision
 * @property {string} text
 * @property {string} author
 * @property {string} note
 * @property {number} at  milliseconds since 1970
 *
 * @typedef {object} Picture
 * @property {string} id  file name in the picture folder
 * @property {string} name  what its author calls it
 * @property {number} bytes
 * @property {string} author
 * @property {number} at  milliseconds since 1970
 *
 * @typedef {{ title: string, text: string, author: string, note: string, base: number }} Edit
 * @typedef {{ ok: true, revision: Revision } | { ok: false, current: Revision | undefined }} SaveResult
 */

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS pages (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL UNIQUE COLLATE NOCASE,
    current INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS revisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    page INTEGER NOT NULL REFERENCES pages (id),
    number INTEGER NOT NULL,
    text TEXT NOT NULL,
    author TEXT NOT NULL,
    note TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (page, number)
  );
  CREATE TABLE IF NOT EXISTS pictures (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    author TEXT NOT NULL,
    at INTEGER NOT NULL
  );
  CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5 (
    title, text, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
  );
`;

const REVISION = "r.id, p.title, r.number, r.text, r.author, r.note, r.at";
const REVISIONS = "revisions r JOIN pages p ON p.id = r.page";

/** These two stand around a hit in an excerpt; no text can hold them, since `save` removes controls. */
export const HIT = { start: "\u0002", end: "\u0003" };

export class Store {
  #db;
  /** @type {Map<string, import("libsql").Statement>} */
  #statements = new Map();

  /**
   * Opens the database, making its folder, file and tables if they are not there.
   *
   * @param {string} file
   */
  constructor(file) {
    mkdirSync(dirname(file), { recursive: true });
    // Another process of the same wiki may be writing: wait for it, in milliseconds.
    this.#db = new Database(file, { timeout: 5000 });
    this.#db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;");
    this.#db.exec(SCHEMA);
  }

  close() {
    this.#statements.clear();
    this.#db.close();
  }

  isEmpty() {
    return this.#first("SELECT 1 FROM pages LIMIT 1") === undefined;
  }

  /** @param {string} title  @returns {boolean} */
  exists(title) {
    return this.#first("SELECT 1 FROM pages WHERE title = ?", title) !== undefined;
  }

  /** The page as it is now. @param {string} title  @returns {Revision | undefined} */
  page(title) {
    return this.#first(`SELECT ${REVISION} FROM ${REVISIONS} WHERE p.title = ? AND r.number = p.current`, title);
  }

  /** @param {string} title  @param {number} number  @returns {Revision | undefined} */
  revision(title, number) {
    return this.#first(`SELECT ${REVISION} FROM ${REVISIONS} WHERE p.title = ? AND r.number = ?`, title, number);
  }

  /** Newest first. @param {string} title  @param {number} limit  @returns {Revision[]} */
  history(title, limit = 200) {
    return this.#all(
      `SELECT ${REVISION} FROM ${REVISIONS} WHERE p.title = ? ORDER BY r.number DESC LIMIT ?`,
      title,
      limit,
    );
  }

  /** Every page as it is now, by title. @returns {Revision[]} */
  pages() {
    return this.#all(`SELECT ${REVISION} FROM ${REVISIONS} WHERE r.number = p.current ORDER BY p.title`);
  }

  /** The latest edits of all pages, newest first. @param {number} limit  @returns {Revision[]} */
  changes(limit) {
    return this.#all(`SELECT ${REVISION} FROM ${REVISIONS} ORDER BY r.id DESC LIMIT ?`, limit);
  }

  /** Edits after the one named, oldest first. @param {number} id  @param {number} limit  @returns {Revision[]} */
  changesAfter(id, limit) {
    return this.#all(`SELECT ${REVISION} FROM ${REVISIONS} WHERE r.id > ? ORDER BY r.id LIMIT ?`, id, limit);
  }

  /** The id of the latest edit, 0 in an empty wiki. @returns {number} */
  latestId() {
    return this.#first("SELECT coalesce(max(id), 0) AS id FROM revisions").id;
  }

  /**
   * Saves an edit if the page is still at the revision the author started from (`base`, 0 for a new page). An edit that
   * changes nothing makes no revision.
   *
   * @param {Edit} edit
   * @returns {SaveResult}
   */
  save(edit) {
    const text = cleanText(edit.text);
    return this.#db
      .transaction(() => {
        const current = this.page(edit.title);
        if ((current?.number ?? 0) !== edit.base) return { ok: false, current };
        if (current?.text === text) return { ok: true, revision: current };
        const number = edit.base + 1;
        if (current === undefined) this.#run("INSERT INTO pages (title, current) VALUES (?, 1)", edit.title);
        else this.#run("UPDATE pages SET current = ? WHERE title = ?", number, edit.title);
        const { id } = this.#first("SELECT id FROM pages WHERE title = ?", edit.title);
        this.#run(
          "INSERT INTO revisions (page, number, text, author, note, at) VALUES (?, ?, ?, ?, ?, ?)",
          id,
          number,
          text,
          edit.author,
          edit.note,
          Date.now(),
        );
        this.#run("DELETE FROM search WHERE rowid = ?", id);
        this.#run(
          "INSERT INTO search (rowid, title, text) VALUES (?, ?, ?)",
          id,
          current?.title ?? edit.title,
          plainText(text),
        );
        return { ok: true, revision: /** @type {Revision} */ (this.revision(edit.title, number)) };
      })
      .immediate();
  }

  /**
   * Pages that hold every word of the query (or words that begin with it), best first; a hit in a title counts most.
   *
   * @param {string} query
   * @param {number} limit
   * @returns {{ title: string, excerpt: string }[]}
   */
  search(query, limit = 30) {
    // Quoted, so that nothing in the query is taken for a search operator.
    const words = query.match(/[\p{L}\p{N}]+/gu)?.slice(0, 12) ?? [];
    if (words.length === 0) return [];
    return this.#all(
      `SELECT title, snippet(search, 1, '${HIT.start}', '${HIT.end}', '…', 24) AS excerpt
       FROM search WHERE search MATCH ? ORDER BY bm25(search, 8.0, 1.0) LIMIT ?`,
      words.map((word) => `"${word}"*`).join(" "),
      limit,
    );
  }

  /** @param {Picture} picture */
  addPicture(picture) {
    this.#run(
      "INSERT INTO pictures (id, name, bytes, author, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
      picture.id,
      picture.name,
      picture.bytes,
      picture.author,
      picture.at,
    );
  }

  /** @param {string} id  @returns {Picture | undefined} */
  picture(id) {
    return this.#first("SELECT * FROM pictures WHERE id = ?", id);
  }

  /** Newest first. @param {number} limit  @returns {Picture[]} */
  pictures(limit = 60) {
    return this.#all("SELECT * FROM pictures ORDER BY at DESC, id LIMIT ?", limit);
  }

  // Values always travel as one array: libsql aborts the process when its only value is a Buffer or null.

  /** @param {string} sql  @param {...unknown} values  @returns {any} */
  #first(sql, ...values) {
    return this.#prepare(sql).get(values);
  }

  /** @param {string} sql  @param {...unknown} values  @returns {any[]} */
  #all(sql, ...values) {
    return this.#prepare(sql).all(values);
  }

  /** @param {string} sql  @param {...unknown} values */
  #run(sql, ...values) {
    this.#prepare(sql).run(values);
  }

  /** @param {string} sql */
  #prepare(sql) {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#db.prepare(sql)));
    return statement;
  }
}

/** Browsers send CR LF in forms; controls have no place in a page. @param {string} text */
function cleanText(text) {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/\r\n?/g, "\n").replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g, "");
}
