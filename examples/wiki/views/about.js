/** The page that tells a webmaster how the request for it came here. */
import { html } from "../html.js";

/**
 * @param {import("express").Request} req
 * @param {boolean} debug  shows every variable of the web server
 */
export function aboutView(req, debug) {
  const cgi = req.cgi;
  const rows = [
    ["Protocol", protocolOf(cgi), cgi?.SCGI && "SCGI"],
    [
      "Web server",
      cgi?.SERVER_SOFTWARE ?? (cgi ? "one that does not say its name" : "none; this is Node's own http server"),
      cgi?.SERVER_SOFTWARE && "SERVER_SOFTWARE",
    ],
    ["Its name and port", cgi && `${cgi.SERVER_NAME}, ${cgi.SERVER_PORT}`, "SERVER_NAME, SERVER_PORT"],
    ["Request", `${req.method} ${req.originalUrl}`, cgi && "REQUEST_METHOD, REQUEST_URI"],
    ["HTTP version of the client", req.httpVersion, cgi && "SERVER_PROTOCOL"],
    ["Mount", req.baseUrl || "/", "req.baseUrl"],
    ["Address below the mount", req.url, "req.url"],
    ["Client", req.socket.remoteAddress, cgi ? "REMOTE_ADDR" : "req.socket"],
    ["Encrypted", req.secure ? "yes, https" : "no, http", cgi && "HTTPS"],
    ["User, as the web server says", cgi?.REMOTE_USER || "nobody; it asked for no password", cgi && "REMOTE_USER"],
    ["Answered by", `Node ${process.version}, process ${process.pid}`, "process"],
  ];
  return html`<div class="prose">
      <p>
        A browser speaks HTTP to a web server. The web server hands the request to this wiki's process, with all it
        knows about it in variables; the gateway makes a Node request of them again. This is what came through for the
        page you are reading:
      </p>
    </div>
    <table class="facts">
      <tbody>
        ${rows
          .filter(([, value]) => value !== undefined)
          .map(
            ([name, value, source]) =>
              html`<tr>
                <th scope="row">${name}</th>
                <td>${value}</td>
                <td class="source">${source && html`<code>${source}</code>`}</td>
              </tr> `,
          )}
      </tbody>
    </table>
    ${
      debug &&
      cgi !== undefined &&
      html`<details>
        <summary>All variables of the web server (shown because <code>debug = true</code>)</summary>
        <table class="facts">
          <tbody>
            ${Object.entries(cgi)
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(
                ([name, value]) =>
                  html`<tr>
                    <th scope="row"><code>${name}</code></th>
                    <td>${value}</td>
                  </tr> `,
              )}
          </tbody>
        </table>
      </details>`
    }`;
}

/** SCGI announces itself by a variable of its name, and AJP does not tell which program it is. @param {Record<string, string> | undefined} cgi */
function protocolOf(cgi) {
  if (cgi === undefined) return "HTTP, straight from the client";
  if (cgi.SCGI !== undefined) return "SCGI";
  return cgi.SERVER_SOFTWARE === undefined ? "AJP" : "FastCGI";
}
