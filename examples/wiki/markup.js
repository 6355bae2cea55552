/** Markup: a page's Markdown to HTML that is safe whatever its author wrote. */
import { Marked } from "marked";
import { escape, Html } from "./html.js";
import { toSegment, toTitle } from "./titles.js";

/**
 * @typedef {object} Place
 * @property {string} base  the mount, "" at the root: goes before every address of the wiki
 * @property {(title: string) => boolean} exists
 */

/**
 * Markdown with `[[Page]]` and `[[Page|words]]` links. HTML in it is shown, not obeyed; links go to http, https, mailto
 * or, from `/` on, into this wiki; pictures are this wiki's own, others become links.
 *
 * @param {string} text
 * @param {Place} place
 */
export function renderMarkup(text, place) {
  if (ENDLESS_WORD.test(text)) return asItIs(text);
  const marked = new Marked({ gfm: true, extensions: [wikiLink(place)] });
  marked.use({
    renderer: {
      html: ({ text }) => escape(text),
      heading({ tokens, depth }) {
        // The page's title is the only h1.
        const level = Math.max(depth, 2);
        const words = this.parser.parseInline(tokens);
        return `<h${level} id="${escape(anchor(this.parser.parseInline(tokens, this.parser.textRenderer)))}">${words}</h${level}>\n`;
      },
      link({ href, title, tokens }) {
        const words = this.parser.parseInline(tokens);
        const address = safeAddress(href, place.base);
        if (address === undefined) return words;
        const outside = /^https?:/.test(address) ? ' rel="nofollow noopener" class="outside"' : "";
        return `<a href="${escape(address)}"${titleAttribute(title)}${outside}>${words}</a>`;
      },
      image({ href, title, text }) {
        const address = safeAddress(href, place.base);
        if (address === undefined) return escape(text);
        if (!href.startsWith("/")) return `<a href="${escape(address)}" rel="nofollow noopener">${escape(text)}</a>`;
        return `<img src="${escape(address)}" alt="${escape(text)}"${titleAttribute(title)} loading="lazy">`;
      },
      code({ text }) {
        return `<pre tabindex="0"><code>${escape(text)}</code></pre>\n`;
      },
    },
  });
  try {
    return new Html(/** @type {string} */ (marked.parse(text, { async: false })));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // Quotations or lists nested by the thousand: nobody's text, but it must not make the page unreadable.
    return asItIs(text);
  }
}

/** Looking for addresses and marks takes time in the square of a word's length. */
const ENDLESS_WORD = /\S{2000}/;

/** @param {string} text */
function asItIs(text) {
  return new Html(`<pre tabindex="0"><code>${escape(text)}</code></pre>`);
}

/** The words of a page, without the marks: for searching and excerpts. @param {string} text */
export function plainText(text) {
  return text
    .replace(/\[\[(?:[^[\]|\n]*\|)?([^[\]|\n]*)\]\]/g, "$1")
    .replace(/!?\[([^[\]\n]*)\]\([^()\n]*\)/g, "$1")
    .replace(/^[ \t]*(?:#{1,6}|[-*+>]|\d+\.)[ \t]+|^[ \t|:-]+$/gm, "")
    .replace(/[*~`]+|(?<![\p{L}\p{N}])_+|_+(?![\p{L}\p{N}])/gu, "")
    .replaceAll("|", " ");
}

/** `[[Page]]`, `[[Page|words]]`. @param {Place} place  @returns {import("marked").TokenizerAndRendererExtension} */
function wikiLink({ base, exists }) {
  return {
    name: "wikiLink",
    level: "inline",
    tokenizer(source) {
      const match = /^\[\[([^[\]|\n]{1,200})(?:\|([^[\]|\n]{1,200}))?\]\]/.exec(source);
      const title = match === null ? undefined : toTitle(match[1] ?? "");
      if (match === null || title === undefined) return undefined;
      return { type: "wikiLink", raw: match[0], title, words: match[2] ?? title };
    },
    renderer({ title, words }) {
      const href = escape(`${base}/p/${toSegment(title)}`);
      const missing = exists(title) ? "" : ' class="missing" title="Not written yet"';
      return `<a href="${href}"${missing}>${escape(words)}</a>`;
    },
  };
}

/**
 * An address that may stand in a page, `/…` put below the mount (and kept there, dot segments or not).
 *
 * @param {string} href
 * @param {string} base
 * @returns {string | undefined}
 */
function safeAddress(href, base) {
  if (/^#[\w-]+$/.test(href)) return href;
  const inside = /^\/(?![/\\])/.test(href);
  if (!inside && !/^(https?:\/\/|mailto:)/i.test(href)) return undefined;
  let url;
  try {
    url = new URL(href, "http://wiki.invalid");
  } catch {
    return undefined;
  }
  if (!inside) return url.href;
  // "/.//host" normalizes to a path of two slashes, which without a mount would name a host.
  const path = url.pathname.replace(/^\/+/, "/");
  return url.host === "wiki.invalid" ? `${base}${path}${url.search}${url.hash}` : undefined;
}

/** @param {string | null | undefined} title */
function titleAttribute(title) {
  return title ? ` title="${escape(title)}"` : "";
}

/** @param {string} words */
function anchor(words) {
  return words
    .toLowerCase()
    .replace(/&\w+;/g, "")
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "");
}
