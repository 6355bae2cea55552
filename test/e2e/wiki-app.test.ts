/** The sample wiki on node's own http server, at the root and under a prefix. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

type Conf = Record<string, string>;
type Init = Omit<RequestInit, "headers"> & { headers?: Conf };
type App = (req: http.IncomingMessage, res: http.ServerResponse) => void;

const wiki = (await import(new URL("../../examples/wiki/app.js", import.meta.url).href)) as {
  makeApp(globalConf: Conf, localConf: Conf): App;
};
const websetup = (await import(new URL("../../examples/wiki/websetup.js", import.meta.url).href)) as {
  setupApp(command: unknown, conf: { globalConf: Conf; localConf: Conf }, vars: Conf): Promise<void>;
};

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);

/** What the gateway does for an app: the mount goes to `req.baseUrl`, `req.url` is what is below. */
function mounted(app: App, mount: string, cgi?: Conf): App {
  return (req, res) => {
    const url = req.url ?? "/";
    Object.assign(req, { originalUrl: url, baseUrl: mount, ...(cgi && { cgi }) });
    req.url = url.slice(mount.length).replace(/^(?!\/)/, "/");
    app(req, res);
  };
}

/** A browser of a kind: keeps cookies, follows no redirect. */
class Browser {
  readonly #origin: string;
  readonly #cookies = new Map<string, string>();

  constructor(origin: string) {
    this.#origin = origin;
  }

  async fetch(path: string, init: Init = {}): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { ...init.headers, ...(cookie !== "" && { cookie }) };
    const response = await fetch(this.#origin + path, { ...init, headers, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      this.#cookies.set(name, value);
    }
    return response;
  }

  async text(path: string): Promise<string> {
    return (await this.fetch(path)).text();
  }

  /** Opens the form at `path` and sends it to `action` with its hidden fields and these. */
  async submit(path: string, action: string, fields: Conf): Promise<Response> {
    const hidden = hiddenFields(await this.text(path));
    return this.fetch(action, { method: "POST", body: new URLSearchParams({ ...hidden, ...fields }) });
  }

  async upload(base: string, bytes: Uint8Array, fields: Conf = {}): Promise<Response> {
    const form = new FormData();
    const { token } = hiddenFields(await this.text(`${base}/pictures`));
    for (const [name, value] of Object.entries({ token: token ?? "", ...fields })) form.append(name, value);
    form.append("picture", new Blob([bytes]), "gate.png");
    return this.fetch(`${base}/pictures`, { method: "POST", body: form });
  }
}

function hiddenFields(page: string): Conf {
  const fields = page.matchAll(/<input\s+type="hidden"\s+name="(\w+)"\s+value="([^"]*)"/g);
  return Object.fromEntries([...fields].map(([, name, value]) => [name ?? "", value ?? ""]));
}

const folder = mkdtempSync(join(tmpdir(), "wiki-"));
const servers: http.Server[] = [];

async function start(name: string, mount: string, cgi?: Conf): Promise<string> {
  const app = wiki.makeApp({ debug: "false" }, { database: join(folder, name, "wiki.db"), secret: "for the test" });
  const server = http.createServer(mounted(app, mount, cgi)).listen(0, "127.0.0.1");
  servers.push(server);
  await new Promise((resolve) => server.once("listening", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

describe.each([{ base: "" }, { base: "/james" }])("the wiki below $base/", ({ base }) => {
  let origin = "";
  let browser: Browser;
  beforeAll(async () => {
    origin = await start(`at${base.replace("/", "-")}`, base);
    browser = new Browser(origin);
  });

  it("shows the start page, with the mount in its foot", async () => {
    const response = await browser.fetch(`${base}/`);
    const page = await response.text();
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page).toContain("<h1>Welcome</h1>");
    expect(page).toContain(`Mounted at <code>${base || "/"}</code>`);
    if (base !== "") expect((await browser.fetch(base)).status).toBe(200);
  });

  it("keeps every link, form and asset below the mount, and each leads somewhere", async () => {
    const seen = new Set<string>();
    const queue = [`${base}/`, `${base}/p/Sandpit/edit`, `${base}/p/Sandpit/rev/1`, `${base}/nowhere`];
    while (queue.length > 0) {
      const path = queue.pop() ?? "";
      if (seen.has(path)) continue;
      seen.add(path);
      const response = await browser.fetch(path, path.endsWith("/events") ? { method: "HEAD" } : {});
      const expected = /\/(?:nowhere|restore|City_gates|Not_yet_written)$/.test(path) ? 404 : 200;
      expect([path, response.status]).toEqual([path, expected]);
      if (!response.headers.get("content-type")?.startsWith("text/html")) continue;
      for (const [, address = ""] of (await response.text()).matchAll(/\s(?:href|src|action|data-events)="([^"]*)"/g)) {
        if (/^(#|https:\/\/www\.rfc-editor\.org\/)/.test(address)) continue;
        expect(address.startsWith(`${base}/`), `${address} in ${path}`).toBe(true);
        queue.push(address.replaceAll("&amp;", "&"));
      }
    }
    expect(seen.size).toBeGreaterThan(30);
  });

  it("saves an edit and leads back to the page, signed with the name given", async () => {
    const form = `${base}/p/Edited_page/edit`;
    const saved = await browser.submit(form, form, { text: "A *new* page", note: "begun", author: "Mnesikles" });
    expect(saved.status).toBe(303);
    expect(saved.headers.get("location")).toBe(`${base}/p/Edited_page`);
    const cookie = saved.headers.getSetCookie().join();
    expect(cookie).toContain(`wiki_author=Mnesikles; `);
    expect(cookie).toContain(`Path=${base || "/"};`);
    const page = await browser.text(`${base}/p/Edited_page`);
    expect(page).toContain("<p>A <em>new</em> page</p>");
    expect(page).toContain("by Mnesikles");
    expect(await browser.text(form)).toContain('value="Mnesikles"');
  });

  it("keeps the text as it was written, line ends and blanks included", async () => {
    const form = `${base}/p/Exact/edit`;
    await browser.submit(form, form, { text: "\r\n  one\r\n\r\ntwo & <b>\r\n" });
    expect(await browser.text(form)).toContain(">\n\n  one\n\ntwo &amp; &lt;b&gt;\n</textarea>");
  });

  it("answers an edit of an old revision with 409, both texts and the difference", async () => {
    const form = `${base}/p/Contested/edit`;
    await browser.submit(form, form, { text: "first words" });
    const slow = hiddenFields(await browser.text(form));
    await browser.submit(form, form, { text: "their words", author: "Iktinos" });
    const body = new URLSearchParams({ ...slow, text: "my words" });
    const conflict = await browser.fetch(form, { method: "POST", body });
    const page = await conflict.text();
    expect(conflict.status).toBe(409);
    expect(page).toContain("Iktinos was faster");
    expect(page).toContain("<mark>their</mark>");
    expect(page).toContain(">\nmy words</textarea>");
    expect(hiddenFields(page)["base"]).toBe("2");
    expect(await browser.text(`${base}/p/Contested`)).toContain("their words");
    // Sent again from that page, it is meant.
    const again = new URLSearchParams({ ...hiddenFields(page), text: "my words" });
    expect((await browser.fetch(form, { method: "POST", body: again })).status).toBe(303);
    expect(await browser.text(`${base}/p/Contested`)).toContain("my words");
  });

  it("lists revisions, compares two and restores an old one", async () => {
    const own = `${base}/p/Restored`;
    await browser.submit(`${own}/edit`, `${own}/edit`, { text: "same\nold line", note: "one" });
    await browser.submit(`${own}/edit`, `${own}/edit`, { text: "same\nnew line", note: "two" });
    const history = await browser.text(`${own}/history`);
    expect(history.indexOf("Revision 2")).toBeLessThan(history.indexOf("Revision 1"));
    const diff = await browser.text(`${own}/diff?from=1&to=2`);
    expect(diff).toContain("<td>same</td>");
    expect(diff).toContain("<td><mark>old</mark> line</td>");
    expect(diff).toContain("<td><mark>new</mark> line</td>");
    const restored = await browser.submit(`${own}/rev/1`, `${own}/restore`, {});
    expect([restored.status, restored.headers.get("location")]).toEqual([303, own]);
    expect(await browser.text(own)).toContain("old line");
    expect(await browser.text(`${own}/history`)).toContain("Restored revision 1");
    expect((await browser.fetch(`${own}/rev/9`)).status).toBe(404);
  });

  it("finds words by their beginning, whatever accents or operators the query has", async () => {
    const form = `${base}/p/Café/edit`.replace("é", "%C3%A9");
    await browser.submit(form, form, { text: "Quetzalcoatl and **SNAKE_case** names" });
    for (const query of ["quetz", "cafe", '"quetz* (', "case snake"])
      expect(await browser.text(`${base}/search?q=${encodeURIComponent(query)}`), query).toContain(">Café</a>");
    expect(await browser.text(`${base}/search?q=quetz`)).toContain("<mark>Quetzalcoatl</mark>");
    expect(await browser.text(`${base}/search?q=zzzz`)).toContain("Nothing for “zzzz”");
    expect(await browser.text(`${base}/search?q=%22%27%3Cb%3E`)).toContain("&lt;b&gt;");
  });

  it("lists the latest changes first", async () => {
    const form = `${base}/p/Latest/edit`;
    await browser.submit(form, form, { text: "news" });
    const [first] = /<li>[^]*?<\/li>/.exec(await browser.text(`${base}/changes`)) ?? [];
    expect(first).toContain(`${base}/p/Latest`);
  });

  it("keeps a picture and shows it in a page", async () => {
    const sent = await browser.upload(base, PNG, { name: "A [small] gate" });
    expect(sent.status).toBe(303);
    const id = /\?new=([0-9a-f]{32}\.png)$/.exec(sent.headers.get("location") ?? "")?.[1] ?? "";
    expect(sent.headers.get("location")).toBe(`${base}/pictures?new=${id}`);
    expect(await browser.text(`${base}/pictures?new=${id}`)).toContain(`![A small gate](/pictures/${id})`);
    const picture = await browser.fetch(`${base}/pictures/${id}`);
    expect(Buffer.from(await picture.arrayBuffer()).equals(PNG)).toBe(true);
    expect(picture.headers.get("content-type")).toBe("image/png");
    expect(picture.headers.get("cache-control")).toContain("immutable");
    const part = await browser.fetch(`${base}/pictures/${id}`, { headers: { range: "bytes=1-3" } });
    expect([part.status, await part.text()]).toEqual([206, "PNG"]);
    const form = `${base}/p/Illustrated/edit`;
    await browser.submit(form, form, { text: `![gate](/pictures/${id})` });
    expect(await browser.text(`${base}/p/Illustrated`)).toContain(
      `<img src="${base}/pictures/${id}" alt="gate" loading="lazy">`,
    );
  });

  it("tells of an edit as it happens, and of those missed", async () => {
    const form = `${base}/p/Told/edit`;
    const leave = new AbortController();
    const stream = await fetch(`${origin}${base}/events`, { signal: leave.signal });
    expect(stream.headers.get("content-type")).toBe("text/event-stream");
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    // The first bytes come at once, before anything happens.
    expect((await reader.read()).value).toBe("retry: 2000\n\n");
    await browser.submit(form, form, { text: "one", author: "Mnesikles" });
    const told = (await reader.read()).value ?? "";
    leave.abort();
    const [, id = "", data = ""] = /^id: (\d+)\nevent: edit\ndata: (.*)\n\n$/.exec(told) ?? [];
    expect(JSON.parse(data)).toMatchObject({ title: "Told", number: 1, href: `${base}/p/Told` });

    await browser.submit(form, form, { text: "two" });
    const back = new AbortController();
    const resumed = await fetch(`${origin}${base}/events`, { headers: { "last-event-id": id }, signal: back.signal });
    const more = resumed.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes('"number":2')) text += (await more.read()).value ?? "";
    back.abort();
    expect(text.match(/^event: edit$/gm)).toHaveLength(1);
  });

  it("answers 304 to who has the page or the asset, and HEAD with the head alone", async () => {
    const style = /href="([^"]+wiki\.css[^"]*)"/.exec(await browser.text(`${base}/`))?.[1] ?? "";
    expect(style).toMatch(new RegExp(`^${base}/static/wiki\\.css\\?v=`));
    for (const path of [`${base}/p/Pylons`, style]) {
      const whole = await browser.fetch(path);
      const length = (await whole.arrayBuffer()).byteLength;
      const etag = whole.headers.get("etag") ?? "";
      expect(etag).not.toBe("");
      expect(Date.parse(whole.headers.get("last-modified") ?? "")).not.toBeNaN();
      const again = await browser.fetch(path, { headers: { "if-none-match": etag, "cache-control": "max-age=0" } });
      expect([path, again.status]).toEqual([path, 304]);
      const head = await browser.fetch(path, { method: "HEAD" });
      expect(head.headers.get("etag")).toBe(etag);
      expect(Number(head.headers.get("content-length"))).toBe(length);
      expect(await head.text()).toBe("");
    }
  });

  it("leads from another spelling of a title to the one in use, and from a wish to its editor", async () => {
    const spelled = await browser.fetch(`${base}/p/fastcgi`);
    expect([spelled.status, spelled.headers.get("location")]).toEqual([302, `${base}/p/FastCGI`]);
    const wish = await browser.fetch(`${base}/new?title=%E2%98%83+100%25`);
    expect(wish.headers.get("location")).toBe(`${base}/p/%E2%98%83_100%25/edit`);
    expect((await browser.fetch(`${base}/p/%E2%98%83_100%25/edit`)).status).toBe(200);
    expect((await browser.fetch(`${base}/new?title=a%2Fb`)).status).toBe(400);
  });

  it("has its own page for what is not there and for what cannot be read", async () => {
    for (const path of ["/nowhere", "/p/Nobody_wrote_this", "/pictures/x.png", "/p/a%2Fb", "/static/none.css"]) {
      const response = await browser.fetch(base + path);
      expect([path, response.status]).toEqual([path, 404]);
      expect(await response.text()).toContain(`Mounted at <code>${base || "/"}</code>`);
    }
    expect((await browser.fetch(`${base}/p/%ff`)).status).toBe(400);
  });
});

describe("what the wiki does not allow", () => {
  let origin = "";
  let browser: Browser;
  beforeAll(async () => {
    origin = await start("guarded", "/james");
    browser = new Browser(origin);
  });

  it("shows HTML and script of a page's author as text", async () => {
    const form = "/james/p/Attack/edit";
    const text = [
      "<script>alert(1)</script> and <img src=x onerror=alert(1)>",
      "[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](data:text/html,x) [d](vbscript:x) [e](&#106;avascript:x)",
      '![x](javascript:alert(1)) ![" onerror="alert(1)](/pictures/a.png) [q](https://a.example/"onclick="x)',
      '[t](https://a.example "\\" onmouseover=\\"x") <javascript:alert(1)> [[<b>bold</b>]]',
      '``` "><script>\n</code><script>alert(1)</script>\n```',
      '## <img src=x onerror=alert(1)> "onclick="',
      "[up](/../../etc) [host](//evil.example/) [odd](/\\evil.example/) [dots](/.//evil.example/) ![far](https://a.example/a.png)",
    ].join("\n\n");
    await browser.submit(form, form, { text, note: "<i>note</i>", author: "<b>me</b>" });
    for (const path of ["/james/p/Attack", "/james/p/Attack/rev/1", "/james/p/Attack/history", "/james/changes"]) {
      const page = await browser.text(path);
      const tags = page.match(/<[a-z][^>]*>/gi) ?? [];
      for (const tag of tags) {
        expect(tag).not.toMatch(/^<(?:i|script|iframe)[ >]/i);
        // Attribute values out of the way, no handler and no foreign scheme is left.
        expect(tag.replace(/"[^"]*"/g, '""')).not.toMatch(/\son\w+\s*=/i);
        expect(tag).not.toMatch(/(?:href|src)="\s*(?:javascript|data|vbscript):/i);
        expect(tag).not.toMatch(/(?:href|src|action)="(?!\/james\/|#|https:\/\/a\.example\/)/);
      }
      expect(tags.filter((tag) => tag.startsWith("<img"))).toHaveLength(
        path.endsWith("Attack") || path.endsWith("1") ? 1 : 0,
      );
    }
    const page = await browser.text("/james/p/Attack");
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(page).toContain('href="/james/etc"');
    expect((await browser.fetch("/james/")).headers.get("content-security-policy")).toContain("default-src 'none'");
  });

  it("refuses a form without its token, with another browser's, or from another site", async () => {
    const form = "/james/p/Sandpit/edit";
    const fields = { ...hiddenFields(await browser.text(form)), text: "forged" };
    const post = (who: Browser, body: Conf, headers: Record<string, string> = {}): Promise<number> =>
      who.fetch(form, { method: "POST", body: new URLSearchParams(body), headers }).then(({ status }) => status);
    expect(await post(browser, { ...fields, token: "" })).toBe(403);
    expect(await post(new Browser(origin), fields)).toBe(403);
    expect(await post(browser, fields, { origin: "http://evil.example" })).toBe(403);
    expect(await post(browser, fields, { origin: "null" })).toBe(403);
    expect(await browser.text("/james/p/Sandpit")).not.toContain("forged");
    expect(await post(browser, fields, { origin })).toBe(303);
  });

  it("refuses an upload that is forged, no picture, empty or too large, and keeps nothing of it", async () => {
    const forged = await browser.upload("/james", PNG, { token: "x" });
    expect(forged.status).toBe(403);
    expect((await browser.upload("/james", Buffer.from("<svg onload=alert(1)>"))).status).toBe(415);
    expect((await browser.upload("/james", Buffer.alloc(0))).status).toBe(400);
    const large = Buffer.concat([PNG, Buffer.alloc(8 * 1024 * 1024)]);
    const refused = await browser.upload("/james", large);
    expect(refused.status).toBe(413);
    expect(await refused.text()).toContain("8 MiB");
    expect((await browser.upload("/james", large.subarray(0, 8 * 1024 * 1024))).status).toBe(303);
    expect(readdirSync(join(folder, "guarded", "pictures"))).toHaveLength(1);
  });

  it("outlives uploads that break off or are no form at all", async () => {
    const { token = "" } = hiddenFields(await browser.text("/james/pictures"));
    const part = (name: string, rest: string): string =>
      `--b\r\ncontent-disposition: form-data; name="${name}"${rest}\r\n\r\n`;
    const start = `${part("token", "")}${token}\r\n${part("picture", '; filename="a.png"')}`;
    const headers = { "content-type": "multipart/form-data; boundary=b" };
    for (const body of [
      `${start}\x89PNG`,
      `${part("token", "")}x\r\n${part("picture", '; filename="a"')}abc`,
      "--b",
      "x",
    ])
      expect((await browser.fetch("/james/pictures", { method: "POST", headers, body })).status).toBe(400);
    const plain = await browser.fetch("/james/pictures", {
      method: "POST",
      headers: { "content-type": "multipart/form-data" },
      body: "x",
    });
    expect(plain.status).toBe(400);
    expect((await browser.fetch("/james/pictures", { method: "POST", body: "x" })).status).toBe(415);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(new URL(origin).port), "127.0.0.1", () => {
        socket.write(
          `POST /james/pictures HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 9999\r\n\r\n${start}`,
          () => setTimeout(() => socket.destroy(), 50),
        );
      });
      socket.on("close", () => resolve());
    });
    expect((await browser.fetch("/james/")).status).toBe(200);
    expect(readdirSync(join(folder, "guarded", "pictures")).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  it("does not take a text of more than 64 KiB", async () => {
    const form = "/james/p/Huge/edit";
    expect((await browser.submit(form, form, { text: "é ".repeat((64 * 1024) / 3) })).status).toBe(303);
    expect((await browser.submit(form, form, { text: "é ".repeat((64 * 1024) / 3 + 1) })).status).toBe(413);
    expect((await browser.submit(form, form, { text: "x".repeat(1024 * 1024) })).status).toBe(413);
  });
});

describe("what would take a Markdown reader long", () => {
  it.each(["a_", "![", "> ", "1. ", "**a ", "[ ](<"])("shows 64 KiB of %j all the same", async (marks) => {
    const browser = new Browser(await start("long", ""));
    const form = "/p/Long/edit";
    const text = marks.repeat((64 * 1024) / marks.length);
    expect((await browser.submit(form, form, { text })).status).toBe(303);
    expect((await browser.fetch("/p/Long")).status).toBe(200);
  });
});

describe("what the web server tells the wiki", () => {
  const cgi = {
    GATEWAY_INTERFACE: "CGI/1.1",
    SERVER_SOFTWARE: "lighttpd/1.4.69",
    SERVER_NAME: "wiki.example",
    SERVER_PORT: "443",
    REMOTE_USER: "pericles",
    SCGI: "1",
    SECRET_OF_THE_SERVER: "hidden",
  };

  it("signs edits with REMOTE_USER, whatever name the form holds", async () => {
    const browser = new Browser(await start("known", "/james", cgi));
    const form = "/james/p/Signed/edit";
    expect(await browser.text(form)).not.toContain('name="author"');
    await browser.submit(form, form, { text: "x", author: "somebody else" });
    expect(await browser.text("/james/p/Signed")).toContain("by pericles");
  });

  it("shows how the request came, and its other variables only when debugging", async () => {
    const browser = new Browser(await start("about", "/james", cgi));
    const page = await browser.text("/james/about?x=1");
    for (const fact of ["SCGI", "lighttpd/1.4.69", "/james", "GET /james/about?x=1", "pericles", "127.0.0.1"])
      expect(page).toContain(`<td>${fact}</td>`);
    expect(page).not.toContain("SECRET_OF_THE_SERVER");
  });
});

describe("setting up the wiki", () => {
  it("makes the database with its first pages, once", async () => {
    const conf = { globalConf: {}, localConf: { database: join(folder, "new", "wiki.db"), secret: "s" } };
    await websetup.setupApp(undefined, conf, {});
    await websetup.setupApp(undefined, conf, {});
    const app = wiki.makeApp(conf.globalConf, conf.localConf);
    const server = http.createServer(app).listen(0, "127.0.0.1");
    servers.push(server);
    await new Promise((resolve) => server.once("listening", resolve));
    const changes = await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/changes`)).text();
    expect(changes.match(/First words/g)).toHaveLength(9);
    expect(changes).not.toContain(">changed<");
  });

  it("says which key the .ini lacks", () => {
    expect(() => wiki.makeApp({}, { database: "x" })).toThrow('needs a line "secret = …"');
    expect(() => wiki.makeApp({}, { secret: "x" })).toThrow('needs a line "database = …"');
  });
});
