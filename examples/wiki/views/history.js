/** The views of a page's past: its revisions and what changed between them. */
import { Html, html } from "../html.js";
import { toSegment } from "../titles.js";
import { pagePath, signature } from "./parts.js";

/** @typedef {import("../store.js").Revision} Revision */

const CHECKED = new Html("checked");

/** @param {string} base  @param {string} title  @param {Revision[]} revisions */
export function historyView(base, title, revisions) {
  const own = `${base}/p/${toSegment(title)}`;
  const [newest] = revisions;
  return html`<form action="${own}/diff">
    <table class="history">
      <thead>
        <tr>
          <th scope="col">From</th>
          <th scope="col">To</th>
          <th scope="col">Revision</th>
        </tr>
      </thead>
      <tbody>
        ${revisions.map(
          (revision, i) =>
            html`<tr>
              <td>
                <input
                  type="radio"
                  name="from"
                  value="${revision.number}"
                  aria-label="Compare from revision ${revision.number}"
                  ${i === Math.min(1, revisions.length - 1) && CHECKED}
                />
              </td>
              <td>
                <input
                  type="radio"
                  name="to"
                  value="${revision.number}"
                  aria-label="Compare to revision ${revision.number}"
                  ${revision === newest && CHECKED}
                />
              </td>
              <td><a href="${own}/rev/${revision.number}">Revision ${revision.number}</a> ${signature(revision)}</td>
            </tr> `,
        )}
      </tbody>
    </table>
    <p class="actions"><button>Compare</button></p>
  </form>`;
}

/** @param {string} base  @param {Revision} revision  @param {Revision} current  @param {Html} text  @param {string} token */
export function revisionView(base, revision, current, text, token) {
  const isCurrent = revision.number === current.number;
  return html`<div class="notice">
      <p>
        ${isCurrent ? "This is the page as it is now" : html`An old revision; the page is at <a href="${pagePath(base, current.title)}">revision ${current.number}</a>`}.
        ${signature(revision)}
      </p>
      ${
        !isCurrent &&
        html`<form method="post" action="${base}/p/${toSegment(current.title)}/restore">
          <input type="hidden" name="token" value="${token}" /><input
            type="hidden"
            name="base"
            value="${current.number}"
          /><input type="hidden" name="number" value="${revision.number}" />
          <button>Restore this revision</button>
        </form>`
      }
    </div>
    <article class="prose">${text}</article>`;
}

/** @param {Revision} from  @param {Revision} to  @param {Html} changes */
export function diffView(from, to, changes) {
  return html`<dl class="between">
      <div>
        <dt class="removed">Revision ${from.number}</dt>
        <dd>${signature(from)}</dd>
      </div>
      <div>
        <dt class="added">Revision ${to.number}</dt>
        <dd>${signature(to)}</dd>
      </div>
    </dl>
    ${changes}`;
}

/** Lines that stay the same further than this from a change are left out. */
const CONTEXT = 3;

/** @param {import("../diff.js").Line[]} lines */
export function changesView(lines) {
  const near = lines.map((_, i) =>
    lines.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1).some(({ kind }) => kind !== "same"),
  );
  if (!near.includes(true)) return html`<p class="empty">No difference.</p>`;
  const words = { same: "Unchanged", removed: "Removed", added: "Added" };
  return html`<table class="diff">
    <tbody>
      ${lines.map(({ kind, parts }, i) => {
        if (!near[i])
          return near[i - 1] || i === 0
            ? html`<tr class="gap">
                <td colspan="2">⋯</td>
              </tr> `
            : "";
        const text = parts.map((part) => (part.changed ? html`<mark>${part.text}</mark>` : part.text));
        return html`<tr class="${kind}">
          <th scope="row"><span class="sr">${words[kind]}</span></th>
          <td>${text}</td>
        </tr> `;
      })}
    </tbody>
  </table>`;
}
