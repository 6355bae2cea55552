/** A real browser edits the wiki through a real Apache, at the root and under a path. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Browser, type BrowserContext, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";

import { type Front, INSTALLED, startWebServer } from "../support/front.ts";
import { pngOf } from "../support/png.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CHROMIUM = findProgram("chromium", "chromium-browser", "google-chrome");
const MISSING = [...(CHROMIUM === null ? ["chromium"] : []), ...(INSTALLED.has("apache") ? [] : ["apache2"])];
if (MISSING.length > 0) console.warn(`SKIPPED: the browser test, since ${MISSING.join(" and ")} is not installed`);

/** It talks to this machine and to nobody else. */
const ARGUMENTS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update"],
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/** How soon what is waited for must be there, in milliseconds. */
const SOON = { timeout: 10_000, interval: 20 };
const PICTURE = { width: 48, height: 32 };

const WAYS = [
  { protocol: "fcgi", mount: "/", config: "apache-examples/mod_proxy_fcgi-unix.conf" },
  { protocol: "fcgi", mount: "/james", config: "apache-examples/mod_proxy_fcgi-unix-james.conf" },
  { protocol: "scgi", mount: "/james", config: "apache-examples/mod_proxy_scgi-unix-james.conf" },
];

describe.skipIf(MISSING.length > 0)("the wiki in a browser", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM ?? "", args: ARGUMENTS });
  });
  afterAll(() => browser?.close());

  describe.each(WAYS.map((way) => [way.config, way] as const))("through %s", (_title, { protocol, mount, config }) => {
    let directory: string;
    let gateway: ChildProcess;
    let front: Front;
    let home: string;
    let context: BrowserContext;
    /** What the browser complained of, and what was asked for outside the mount. */
    let faults: string[];
    const prefix = mount === "/" ? "/" : `${mount}/`;

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), "propylon-browser-"));
      // Apache's workers are another user.
      await chmod(directory, 0o755);
      gateway = await serveWiki(directory, protocol, mount);
      front = await startWebServer({
        name: "apache",
        config: join(ROOT, config),
        values: { SOCKET: join(directory, "app.sock") },
      });
      home = front.url + prefix;
    });

    afterAll(async () => {
      // Apache waits for streams that nobody reads any more; without the gateway it has nothing to wait for.
      if (gateway !== undefined) await end(gateway);
      await front?.stop();
      await rm(directory, { recursive: true, force: true });
    });

    beforeEach(async () => {
      faults = [];
      context = await browser.newContext();
      context.setDefaultTimeout(SOON.timeout);
      context.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") faults.push(message.text());
      });
      context.on("weberror", (error) => faults.push(error.error().message));
      context.on("requestfailed", (request) => {
        const reason = request.failure()?.errorText;
        // A browser drops the icon of a page that is left at once.
        if (reason === "net::ERR_ABORTED" && request.url().includes("gate.svg")) return;
        faults.push(`${request.url()}: ${reason}`);
      });
      context.on("response", (response) => {
        if (response.status() >= 400) faults.push(`${response.url()}: ${response.status()}`);
      });
      context.on("request", (request) => {
        if (!request.url().startsWith(home)) faults.push(`${request.url()} is not below ${home}`);
      });
    });

    afterEach(async () => {
      const cookies = await context.cookies();
      await context.close();
      expect(cookies.filter(({ path }) => path !== mount)).toEqual([]);
    });

    it("shows the start page, and every page that it leads to, with their styles", async () => {
      const page = await context.newPage();
      await page.goto(home);
      expect(await page.title()).toBe("Welcome · Gatehouse");
      expect(await page.locator("footer code").textContent()).toBe(mount);
      const rules = await page.evaluate<number>("document.styleSheets[0].cssRules.length");
      expect(rules).toBeGreaterThan(10);
      const icon = await page.locator("link[rel=icon]").getAttribute("href");
      expect((await context.request.get(new URL(icon ?? "", home).href)).status()).toBe(200);
      await expectLinksInside(page);

      const links = await page.locator("header a, article a:not(.missing), footer a").all();
      const addresses = await Promise.all(links.map((link) => link.getAttribute("href")));
      expect(addresses.length).toBeGreaterThan(10);
      for (const address of new Set(addresses)) {
        // Leaving the live page breaks its stream off, as it should; a test of its own is about it.
        if (address === `${prefix}live`) continue;
        const answer = await page.goto(new URL(address ?? "", home).href);
        expect([address, answer?.status()]).toEqual([address, 200]);
        await expectLinksInside(page);
      }
      expect(faults).toEqual([]);
    });

    it("saves an edit, keeps it as a revision and finds it", async () => {
      const page = await context.newPage();
      await page.goto(home);
      await edit(page, { text: "The lintel is of *basalt* ☃ & <b>heavy</b>.", author: "Ada", note: "stone" });
      expect(page.url()).toBe(home);
      expect(await page.locator("article").textContent()).toContain("The lintel is of basalt ☃ & <b>heavy</b>.");
      expect(await page.locator("article em").textContent()).toBe("basalt");
      expect(await page.locator(".byline").textContent()).toMatch(/^Revision 2, .* by Ada$/);
      await expectLinksInside(page);

      await page.getByRole("link", { name: "History" }).click();
      const rows = page.locator(".history tbody tr");
      expect(await rows.count()).toBe(2);
      expect(await rows.first().textContent()).toMatch(/Revision 2\s.* by Ada: stone/);
      await expectLinksInside(page);
      await page.getByRole("button", { name: "Compare" }).click();
      expect(await page.locator(".diff .added").textContent()).toContain("The lintel is of *basalt* ☃");
      await expectLinksInside(page);
      await page.goBack();
      await page.getByRole("link", { name: "Revision 1" }).click();
      expect(await page.locator("article").textContent()).not.toContain("basalt");

      await page.getByRole("searchbox").fill("basalt ☃");
      await page.getByRole("searchbox").press("Enter");
      const hit = page.locator(".hits li");
      expect(await hit.locator("mark").first().textContent()).toBe("basalt");
      await expectLinksInside(page);
      await hit.getByRole("link", { name: "Welcome" }).click();
      expect(page.url()).toBe(home);
      expect(faults).toEqual([]);
    });

    it("takes a picture, shows it in the gallery and in a page", async () => {
      const page = await context.newPage();
      await page.goto(home);
      await page.getByRole("link", { name: "Pictures", exact: true }).first().click();
      await page.getByLabel("What it shows").fill("A grey gate");
      await page
        .locator("input[type=file]")
        .setInputFiles({ name: "gate.png", mimeType: "image/png", buffer: pngOf(PICTURE) });
      await page.getByRole("button", { name: "Upload" }).click();
      const line = (await page.locator(".notice code").textContent()) ?? "";
      expect(line).toMatch(/^!\[A grey gate\]\(\/pictures\/[0-9a-f]{32}\.png\)$/);
      await expectShown(page.locator(".gallery img"));
      await expectLinksInside(page);

      await page.goto(`${home}new`);
      await page.getByLabel("Title").fill("Gate of pixels");
      await page.getByRole("button", { name: "Write it" }).click();
      await edit(page, { text: line, author: "Ada", note: "" });
      expect(page.url()).toBe(`${home}p/Gate_of_pixels`);
      await expectShown(page.locator("article img"));
      await expectLinksInside(page);
      expect(faults).toEqual([]);
    });

    it("tells the live page of an edit on another page", async () => {
      const [live, other] = [await context.newPage(), await context.newPage()];
      await live.goto(`${home}live`);
      await live.locator("[data-state=on]").waitFor();
      await other.goto(`${home}p/Sandpit`);
      await edit(other, { text: "Dug.", author: "Grace", note: "a hole" });

      const fresh = live.locator("#changes .fresh");
      await fresh.waitFor();
      expect(await fresh.count()).toBe(1);
      expect(await fresh.textContent()).toMatch(/^Sandpit changed \d\d:\d\d:\d\d UTC by Grace: a hole$/);
      expect(await fresh.getByRole("link").getAttribute("href")).toBe(`${prefix}p/Sandpit`);
      await expectLinksInside(live);
      expect(faults).toEqual([]);
    });

    /** Each address in the page lies below the mount; a link to elsewhere says that it is one. */
    async function expectLinksInside(page: Page): Promise<void> {
      const links = await page.evaluate<{ address: string; outside: boolean }[]>(
        `["href", "src", "action", "data-events"].flatMap((name) =>
          [...document.querySelectorAll("[" + name + "]")].map((element) => ({
            address: element.getAttribute(name),
            outside: element.classList.contains("outside"),
          })))`,
      );
      expect(links.length).toBeGreaterThan(10);
      const inside = links.filter(({ outside }) => !outside).map(({ address }) => new URL(address, page.url()).href);
      expect(inside.filter((address) => !address.startsWith(home))).toEqual([]);
    }
  });
});

/** Opens the form, unless it is, and saves the page with `text` in place of what it said. */
async function edit(page: Page, fields: { text: string; author: string; note: string }): Promise<void> {
  if (!page.url().endsWith("/edit")) await page.getByRole("link", { name: "Edit", exact: true }).click();
  await page.getByLabel("Text of the page").fill(fields.text);
  await page.getByLabel("Your name").fill(fields.author);
  await page.getByLabel("What you changed").fill(fields.note);
  await page.getByRole("button", { name: "Save page" }).click();
  await page.locator(".byline").waitFor();
}

async function expectShown(image: Locator): Promise<void> {
  await image.scrollIntoViewIfNeeded();
  const size = (shown: { naturalWidth: number; naturalHeight: number }): object => ({
    width: shown.naturalWidth,
    height: shown.naturalHeight,
  });
  await vi.waitFor(async () => expect(await image.evaluate(size)).toEqual(PICTURE), SOON);
}

/** `propylon serve` on a new wiki in `directory`; resolves when it listens. */
async function serveWiki(directory: string, protocol: string, mount: string): Promise<ChildProcess> {
  const file = join(directory, "wiki.ini");
  await writeFile(
    file,
    `[server:main]
use = package:propylon#${protocol}
socket = ${join(directory, "app.sock")}
socket_mode = 0666
mount = ${mount}

[app:main]
use = config:${join(ROOT, "examples/wiki/wiki.ini")}
database = ${join(directory, "wiki.db")}
pictures = ${join(directory, "pictures")}
`,
  );
  const child = spawn(process.execPath, [join(ROOT, "bin/propylon.js"), "serve", file], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => void (output += String(chunk)));
  child.stderr.on("data", (chunk: Buffer) => void (output += String(chunk)));
  try {
    await vi.waitFor(() => expect(output).toContain("Serving"), SOON);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  // Once more, since a stream of edits does not end by itself.
  const again = setTimeout(() => child.kill("SIGTERM"), 300);
  await exited;
  clearTimeout(again);
}

function findProgram(...names: string[]): string | null {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  for (const path of names.flatMap((name) => directories.map((directory) => join(directory, name)))) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next one.
    }
  }
  return null;
}
