/** The HTML of every page. */

/** What a page says: all of it is text, and escaped here. */
export interface Page {
  readonly title: string;
  readonly paragraphs: readonly string[];
  /** Where the app begins; the web server may have put it below a prefix. */
  readonly home: string;
}

export function renderPage({ title, paragraphs, home }: Page): string {
  return `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <meta name="color-scheme" content="light dark">
  <title>${escapeHtml(title)}</title>
  <h1>${escapeHtml(title)}</h1>
  ${paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`).join("\n  ")}
  <p><a href="${escapeHtml(home)}">Home</a></p>
</html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}
