/** What the front says in its own name: a small HTML page. */
import { STATUS_CODES, type ServerResponse } from "node:http";

/** Answers with `status`, the reason in plain words and, where there is one, a hint in a box of its own. */
export function sendPage(response: ServerResponse, status: number, text: string, hint?: string): void {
  const title = `${status} ${STATUS_CODES[status] ?? ""}`.trimEnd();
  const body = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>
  :root { color-scheme: light dark; font: 1.05rem/1.6 system-ui, sans-serif }
  body { max-width: 38rem; margin: 18vh auto; padding: 0 1.5rem }
  h1 { font-size: 1.4rem }
  pre { padding: 0.8rem 1rem; border: 1px solid #8886; border-radius: 0.4rem; overflow: auto }
</style>
<h1>${title}</h1>
<p>${escapeHtml(text)}</p>
${hint === undefined ? "" : `<pre>${escapeHtml(hint)}</pre>\n`}</html>
`;
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
  });
  response.end(body);
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
