/** What several views share: the address of a page, who wrote when. */
import { Html, html } from "../html.js";
import { START_PAGE, toSegment } from "../titles.js";

/** The attribute of the link that leads to where one is. */
export const CURRENT = new Html('aria-current="page"');

/** @param {string} base  @param {string} title */
export function pagePath(base, title) {
  return title === START_PAGE ? `${base}/` : `${base}/p/${toSegment(title)}`;
}

/** @param {import("../store.js").Revision} revision */
export function signature({ author, note, at }) {
  return html`<span class="signature">${time(at)} by ${author}${note !== "" && html`: <q>${note}</q>`}</span>`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZone: "UTC",
});

/** @param {number} at */
export function time(at) {
  const date = new Date(at);
  return html`<time datetime="${date.toISOString()}">${CLOCK.format(date)} UTC</time>`;
}
