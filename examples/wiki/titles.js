/** Page titles: what may be one, and how it is written in an address. */

export const START_PAGE = "Welcome";
const MAX_TITLE = 100;

// A slash is left out because Apache refuses %2F in a path unless told otherwise; the rest are marks of the markup.
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\x00-\x1f\x7f-\x9f/\\#?[\]|<>_\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffd]/;

/**
 * The title that a person or an address means: blanks trimmed and folded, `_` a blank.
 *
 * @param {string} text
 * @returns {string | undefined} undefined where no page can be called so
 */
export function toTitle(text) {
  const title = text
    .normalize("NFC")
    .replace(/[_\s]+/g, " ")
    .trim();
  // "." and ".." would be taken for folders.
  if (title === "" || title.length > MAX_TITLE || FORBIDDEN.test(title) || /^\.+$/.test(title)) return undefined;
  return title.isWellFormed() ? title : undefined;
}

/** The title as one segment of a path. @param {string} title */
export function toSegment(title) {
  return encodeURIComponent(title.replaceAll(" ", "_"));
}
