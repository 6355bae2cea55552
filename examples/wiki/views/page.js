/** The views of one page: reading it, writing it. */
import { html } from "../html.js";
import { toSegment } from "../titles.js";
import { CURRENT, pagePath, time } from "./parts.js";

/** @typedef {import("../store.js").Revision} Revision */

/**
 * The links beside a page's title. A page that is not written has no history.
 *
 * @param {string} base
 * @param {string} title
 * @param {{ written: boolean, current?: "read" | "edit" | "history" }} page
 */
export function pageTools(base, title, { written, current }) {
  const own = `${base}/p/${toSegment(title)}`;
  const links = [
    ["read", pagePath(base, title), "Read"],
    ["edit", `${own}/edit`, "Edit"],
    ...(written ? [["history", `${own}/history`, "History"]] : []),
  ];
  return html`<nav class="tools" aria-label="This page">
    ${links.map(([name, href, words]) => html`<a href="${href}" ${name === current && CURRENT}>${words}</a>`)}
  </nav>`;
}

/** @param {Revision} revision  @param {import("../html.js").Html} text */
export function articleView(revision, text) {
  return html`<article class="prose">${text}</article>
    <p class="byline">Revision ${revision.number}, ${time(revision.at)}, by ${revision.author}</p>`;
}

/** @param {string} base  @param {string} title */
export function missingView(base, title) {
  return html`<div class="prose">
    <p>This page is not written yet.</p>
    <p>
      <a class="button" href="${base}/p/${toSegment(title)}/edit">Write it</a>
      <a class="button quiet" href="${base}/search?q=${encodeURIComponent(title)}">Search for it</a>
    </p>
  </div>`;
}

/**
 * @param {string} base
 * @param {{ title: string, text: string, note: string, number: number, token: string, author: string, known: boolean, conflict?: { by: Revision, changes: import("../html.js").Html } }} form
 */
export function editView(base, { title, text, note, number, token, author, known, conflict }) {
  // HTML drops a line end at the beginning of a textarea, so the text brings one along.
  const content = `\n${text}`;
  return html`${
      conflict !== undefined &&
      html`<section class="notice" role="alert">
        <h2>${conflict.by.author} was faster</h2>
        <p>
          The page was saved as revision ${conflict.by.number} while you were writing. Below is your text as you left
          it; saving it now replaces theirs. This is how yours differs from theirs:
        </p>
        ${conflict.changes}
      </section>`
    }
    <form class="editor" method="post" action="${base}/p/${toSegment(title)}/edit">
      <input type="hidden" name="token" value="${token}" />
      <input type="hidden" name="base" value="${number}" />
      <label class="sr" for="text">Text of the page</label>
      <textarea id="text" name="text" rows="22" spellcheck="true">${content}</textarea>
      <div class="fields">
        <label>What you changed <input name="note" maxlength="120" value="${note}" /></label>
        ${
          known
            ? html`<p class="as">You write as <b>${author}</b>; the web server says so.</p>`
            : html`<label
                >Your name <input name="author" maxlength="60" autocomplete="nickname" value="${author}"
              /></label>`
        }
      </div>
      <p class="actions">
        <button>Save page</button> <a class="button quiet" href="${pagePath(base, title)}">Cancel</a>
      </p>
    </form>
    <details class="help">
      <summary>How to write</summary>
      <div class="prose">
        <p>
          Markdown: <code># Heading</code>, <code>**bold**</code>, <code>*italic*</code>, <code>- list</code>,
          <code>&gt; quotation</code>, tables, and four blanks or <code>\`\`\`</code> before code. A link to a page of
          this wiki is <code>[[Title]]</code> or <code>[[Title|other words]]</code>.
          <a href="${base}/pictures">Upload a picture</a> to get the line that shows it.
        </p>
      </div>
    </details>`;
}

/** @param {string} base  @param {string} wish */
export function newPageView(base, wish) {
  return html`<form class="editor narrow" action="${base}/new">
    <label>Title <input name="title" value="${wish}" required maxlength="100" /></label>
    <p class="actions"><button>Write it</button></p>
  </form>`;
}
