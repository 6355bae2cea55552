/** The views that list things: pages, changes, hits, pictures. */
import { Html, escape, html } from "../html.js";
import { HIT } from "../store.js";
import { toSegment } from "../titles.js";
import { pagePath, signature, time } from "./parts.js";

/** @typedef {import("../store.js").Revision} Revision */

/** @param {string} base  @param {Revision[]} pages */
export function pagesView(base, pages) {
  return html`<ul class="index">
    ${pages.map(
      (page) => html`<li><a href="${pagePath(base, page.title)}">${page.title}</a> <span>${time(page.at)}</span></li> `,
    )}
  </ul>`;
}

/** @param {string} base  @param {Revision[]} changes */
export function changesList(base, changes) {
  return html`<ol class="changes" id="changes">
    ${changes.map(
      (change) =>
        html`<li>
          <a href="${pagePath(base, change.title)}">${change.title}</a> ${changeLink(base, change)} ${signature(change)}
        </li> `,
    )}
  </ol>`;
}

/** @param {string} base  @param {Revision} change */
function changeLink(base, { title, number }) {
  const own = `${base}/p/${toSegment(title)}`;
  return number === 1
    ? html`<a class="what" href="${own}/rev/1">new</a>`
    : html`<a class="what" href="${own}/diff?from=${number - 1}&amp;to=${number}">changed</a>`;
}

/** @param {string} base  @param {Revision[]} changes */
export function liveView(base, changes) {
  return html`<p class="live" data-events="${base}/events" role="status">
      <span class="dot"></span>
      <span id="state">Without JavaScript this list stands still; reload it to see more.</span>
    </p>
    ${changesList(base, changes)}`;
}

/** @param {string} base  @param {string} query  @param {{ title: string, excerpt: string }[]} hits  @param {string | undefined} newTitle */
export function searchView(base, query, hits, newTitle) {
  const offer =
    newTitle !== undefined &&
    html`<p><a class="button quiet" href="${base}/p/${toSegment(newTitle)}/edit">Write a page “${newTitle}”</a></p>`;
  if (query === "") return html`<p class="empty">Type a word or two into the field above.</p>`;
  return html`<p class="count">${hits.length === 0 ? "Nothing" : plural(hits.length, "page")} for “${query}”</p>
    <ol class="hits">
      ${hits.map(
        ({ title, excerpt }) =>
          html`<li>
            <a href="${pagePath(base, title)}">${title}</a>
            <p>${highlight(excerpt)}</p>
          </li> `,
      )}
    </ol>
    ${offer}`;
}

/** @param {string} excerpt */
function highlight(excerpt) {
  return new Html(escape(excerpt).replaceAll(HIT.start, "<mark>").replaceAll(HIT.end, "</mark>"));
}

/** @param {string} base  @param {import("../store.js").Picture[]} pictures  @param {string} token  @param {import("../store.js").Picture | undefined} fresh */
export function picturesView(base, pictures, token, fresh) {
  return html`${
      fresh !== undefined &&
      html`<div class="notice">
        <p><b>${fresh.name}</b> is here. This line shows it in a page:</p>
        <pre tabindex="0"><code>${`![${fresh.name}](/pictures/${fresh.id})`}</code></pre>
      </div>`
    }
    <form class="editor upload" method="post" action="${base}/pictures" enctype="multipart/form-data">
      <input type="hidden" name="token" value="${token}" />
      <label>What it shows <input name="name" maxlength="120" /></label>
      <label
        >PNG, JPEG, GIF or WebP, up to 8 MiB
        <input type="file" name="picture" required accept="image/png,image/jpeg,image/gif,image/webp"
      /></label>
      <p class="actions"><button>Upload</button></p>
    </form>
    ${
      pictures.length === 0
        ? html`<p class="empty">No pictures yet.</p>`
        : html`<ul class="gallery">
            ${pictures.map(
              ({ id, name, bytes, author }) =>
                html`<li>
                  <a href="${base}/pictures/${id}"><img src="${base}/pictures/${id}" alt="" loading="lazy" /></a>
                  <p><b>${name}</b><br />${size(bytes)}, by ${author}</p>
                  <details>
                    <summary>Use it</summary>
                    <code>${`![${name}](/pictures/${id})`}</code>
                  </details>
                </li> `,
            )}
          </ul>`
    }`;
}

/** @param {number} bytes */
function size(bytes) {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** @param {number} count  @param {string} noun */
function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
