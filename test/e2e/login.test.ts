/** Who has come: what the web server finds out by a password or a certificate reaches the app, and nothing that a client says. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { type Front, hasModule, INSTALLED, type ServerName, startWebServer } from "../support/front.ts";
import { call } from "../support/http-client.ts";
import { Serving } from "../support/serving.ts";

/** Names under which an app, or a web server that is taken for another, might take a client at its word. */
const CLAIMS = ["REMOTE_USER", "Remote-User", "X-Remote-User", "SSL_CLIENT_VERIFY", "Ssl-Client-Verify"];
const CLAIMED = CLAIMS.flatMap((name) => [name, "SUCCESS", `HTTP_${name}`, "root"]);

let conf: string;
let serving: Serving;
let front: Front | undefined;

beforeAll(async () => {
  conf = await mkdtemp(join(tmpdir(), "propylon-login-"));
  // The web server's workers are another user.
  await chmod(conf, 0o755);
  await writeFile(join(conf, "users"), `ada:{SHA}${createHash("sha1").update("sesame").digest("base64")}\n`);
  serving = await Serving.start({ directory: "examples/login", file: "login.ini" });
});
afterEach(async () => {
  await front?.stop();
  front = undefined;
});
afterAll(async () => {
  await serving?.stop();
  await rm(conf, { recursive: true, force: true });
});

async function start(name: ServerName, config: string): Promise<Front> {
  const file = fileURLToPath(new URL(`../../${config}`, import.meta.url));
  return (front = await startWebServer({ name, config: file, values: { SOCKET: serving.socket, CONF: conf } }));
}

describe("by a password", () => {
  for (const [name, config] of [
    ["apache", "apache-examples/login.conf"],
    ["lighttpd", "examples/lighttpd/login.conf"],
    ["nginx", "examples/nginx/login.conf"],
  ] as const) {
    it.runIf(INSTALLED.has(name))(`${name} tells the app`, async () => {
      const { url } = await start(name, config);
      const get = async (user: string, password: string) => {
        const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
        const { status, body } = await call(url, { path: "/", headers: ["Authorization", authorization, ...CLAIMED] });
        return `${status} ${status === 200 ? String(body) : ""}`;
      };
      expect(await get("ada", "sesame")).toBe("200 By password: ada\n");
      expect(await get("ada", "wrong")).toBe("401 ");
      expect(await get("root", "sesame")).toBe("401 ");
      expect((await call(url, { path: "/", headers: CLAIMED })).status).toBe(401);
    });
  }
});

describe.runIf(openssl("version"))("by a certificate", () => {
  beforeAll(async () => {
    for (const who of ["server", "clients", "strangers"]) {
      openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${who}`, ...files(who));
    }
    for (const [who, signer] of [
      ["ada", "clients"],
      ["eve", "strangers"],
    ] as const) {
      const subject = ["-subj", `/O=Members/CN=${who}`, "-CA", at(`${signer}.pem`), "-CAkey", at(`${signer}.key`)];
      openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, ...files(who));
    }
    await writeFile(at("server.pem"), (await readFile(at("server.pem"))) + String(await readFile(at("server.key"))));
  });

  it.runIf(INSTALLED.has("nginx"))("nginx tells the app", async () => {
    await start("nginx", "examples/nginx/client-certificate.conf");
    expect(await get("ada")).toBe("200 By certificate: CN=ada,O=Members\n");
    expect(await get(null)).toBe("200 Nobody\n");
    expect(await get("eve")).toMatch(/^400 /);
  });

  it.runIf(hasModule("apache", "ssl"))("Apache tells the app", async () => {
    await start("apache", "apache-examples/client-certificate.conf");
    expect(await get("ada")).toBe("200 By certificate: CN=ada,O=Members\n");
    expect(await get(null)).toBe("200 Nobody\n");
    await expect(get("eve")).rejects.toThrow(/alert|socket|ECONNRESET/i);
  });

  async function get(who: string | null): Promise<string> {
    const own = who === null ? {} : { cert: await readFile(at(`${who}.pem`)), key: await readFile(at(`${who}.key`)) };
    const headers = Object.fromEntries(CLAIMS.map((name) => [name, "SUCCESS"]));
    // The server's certificate is its own alone.
    const asked = request(front!.url.replace("http:", "https:"), {
      ...{ ...own, headers, ca: await readFile(at("server.pem")), servername: "", agent: false },
      checkServerIdentity: () => undefined,
    });
    asked.end();
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    return `${answer.statusCode} ${await text(answer)}`;
  }
});

function at(name: string): string {
  return join(conf, name);
}

function files(who: string): string[] {
  return ["-keyout", at(`${who}.key`), "-out", at(`${who}.pem`)];
}

function openssl(...args: string[]): boolean {
  return spawnSync("openssl", args, { stdio: "ignore" }).status === 0;
}
