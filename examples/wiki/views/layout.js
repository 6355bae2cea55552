/** The layout: what stands around every page of the wiki. */
import { Html, html } from "../html.js";
import { CURRENT } from "./parts.js";

/**
 * @typedef {object} Frame
 * @property {string} base  the mount, "" at the root; goes before every address
 * @property {string} siteName
 * @property {string} author  who writes here, "" while unknown
 * @property {(name: string) => string} asset  the address of a file in `public/`
 *
 * @typedef {object} Body
 * @property {string} title
 * @property {Html} main
 * @property {Html | undefined} [tools]  links beside the title
 * @property {string} [kicker]  a line above the title
 * @property {string} [query]  what stands in the search field
 * @property {string} [current]  the entry of the navigation this page belongs to
 * @property {string} [script]  a file in `public/`
 */

const NAVIGATION = [
  ["pages", "Pages"],
  ["changes", "Changes"],
  ["pictures", "Pictures"],
  ["live", "Live"],
];

/**
 * A whole document.
 *
 * @param {Frame} frame
 * @param {Body} body
 * @returns {string}
 */
export function layout({ base, siteName, author, asset }, { title, main, tools, kicker, query, current, script }) {
  const heading = title === siteName ? siteName : `${title} · ${siteName}`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>${heading}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <link rel="stylesheet" href="${base}${asset("wiki.css")}" />
        <link rel="icon" type="image/svg+xml" href="${base}${asset("gate.svg")}" />
        ${script !== undefined && html`<script type="module" src="${base}${asset(script)}"></script> `}
      </head>
      <body>
        <a class="skip" href="#main">Skip to the text</a>
        <header class="site">
          <a class="brand" href="${base}/">${GATE}<span>${siteName}</span></a>
          <form class="find" role="search" action="${base}/search">
            <input
              type="search"
              name="q"
              value="${query}"
              placeholder="Search"
              aria-label="Search the wiki"
              maxlength="200"
            />
          </form>
          <nav aria-label="Wiki">
            ${NAVIGATION.map(
              ([name, words]) => html`<a href="${base}/${name}" ${name === current && CURRENT}>${words}</a> `,
            )}<a class="new" href="${base}/new" ${current === "new" && CURRENT}>New page</a>
          </nav>
        </header>
        <main id="main">
          <div class="head">
            <div>
              ${kicker !== undefined && html`<p class="kicker">${kicker}</p>`}
              <h1>${title}</h1>
            </div>
            ${tools}
          </div>
          ${main}
        </main>
        <footer class="site">
          <p>${author === "" ? "You write as nobody in particular" : html`You write as <b>${author}</b>`}</p>
          <p>Mounted at <code>${base || "/"}</code> · <a href="${base}/about">How this request came here</a></p>
        </footer>
      </body>
    </html> `.text;
}

/** The mark: a pylon, two towers with the sun between them. */
const GATE = new Html(
  '<svg viewBox="0 0 32 24" width="32" height="24" aria-hidden="true"><path d="M0 24 2.6 3h10l.8 6.5h5.2L19.4 3h10L32 24H19v-9h-6v9zM2 0h11.2v1.8H2zm16.8 0H30v1.8H18.8z"/><circle cx="16" cy="5" r="2.3"/></svg>',
);
