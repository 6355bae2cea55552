/** The first pages of a new wiki, from the Markdown files in `pages/`. */
import { readdirSync, readFileSync } from "node:fs";
import { START_PAGE } from "./titles.js";

const FOLDER = new URL("pages/", import.meta.url);

/**
 * Fills an empty wiki; a wiki that has a page is left alone.
 *
 * @param {import("./store.js").Store} store
 * @returns {number} how many pages were written
 */
export function seed(store) {
  if (!store.isEmpty()) return 0;
  const titles = readdirSync(FOLDER)
    .filter((name) => name.endsWith(".md"))
    .map((name) => name.slice(0, -".md".length))
    // The start page comes last: it is the latest change a visitor sees.
    .sort((a, b) => Number(a === START_PAGE) - Number(b === START_PAGE) || a.localeCompare(b));
  for (const title of titles) {
    const text = readFileSync(new URL(`${encodeURIComponent(title)}.md`, FOLDER), "utf8");
    store.save({ title, text, author: "Gatekeeper", note: "First words", base: 0 });
  }
  return titles.length;
}
