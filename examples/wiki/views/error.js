/** The view of a request that was not answered as asked. */
import { html } from "../html.js";

/** @param {string} explanation  @param {string} base  @param {string | undefined} stack */
export function errorView(base, explanation, stack) {
  return html`<div class="prose">
    <p>${explanation}</p>
    ${stack !== undefined && html`<pre tabindex="0"><code>${stack}</code></pre>`}
    <p><a class="button quiet" href="${base}/">To the start page</a></p>
  </div>`;
}
