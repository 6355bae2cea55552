/** HTML text: a template tag that escapes every value it is not told to trust. */

/** Markup that is safe as it stands. */
export class Html {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

/** @type {Record<string, string>} */
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** For text and for quoted attribute values. @param {string} text */
export function escape(text) {
  return text.replace(/[&<>"']/g, (mark) => ENTITIES[mark] ?? mark);
}

/**
 * Strings and numbers are escaped, `Html` is kept, arrays are joined, `undefined`, `null` and `false` are nothing.
 *
 * @param {TemplateStringsArray} strings
 * @param {...unknown} values
 */
export function html(strings, ...values) {
  let text = strings[0] ?? "";
  for (const [i, value] of values.entries()) text += render(value) + (strings[i + 1] ?? "");
  return new Html(text);
}

/** @param {unknown} value  @returns {string} */
function render(value) {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(render).join("");
  if (value === undefined || value === null || value === false) return "";
  return escape(String(value));
}
