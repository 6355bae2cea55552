/** Who has come: what the web server finds out reaches the app, and nothing that a client says. */
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

import { createServer, type Server } from "../../dist/index.js";
import { type Front, hasModule, INSTALLED, type ServerName, startWebServer } from "../support/front.ts";
import { type Answer, call } from "../support/http-client.ts";
import { type OpenIdProvider, startOpenIdProvider } from "../support/openid-provider.ts";
import { Serving } from "../support/serving.ts";

/** Names under which an app, or a web server that is taken for another, might take a client at its word. */
const CLAIMS = [
  ...["REMOTE_USER", "Remote-User", "X-Remote-User", "SSL_CLIENT_VERIFY", "Ssl-Client-Verify"],
  ...["OIDC_CLAIM_email", "OIDC-CLAIM-email"],
];
const CLAIMED = CLAIMS.flatMap((name) => [name, "SUCCESS", `HTTP_${name}`, "root"]);

let conf: string;
let serving: Serving;
/** An app that tells all that it has been told. */
let witness: Server;
let front: Front | undefined;

beforeAll(async () => {
  conf = await mkdtemp(join(tmpdir(), "propylon-login-"));
  // The web server's workers are another user.
  await chmod(conf, 0o755);
  await writeFile(join(conf, "users"), `ada:{SHA}${createHash("sha1").update("sesame").digest("base64")}\n`);
  serving = await Serving.start({ directory: "examples/login", file: "login.ini" });
  witness = createServer(({ cgi, headers }, res) => void res.end(JSON.stringify({ cgi, headers })));
  witness.listen({ path: at("witness.sock"), mode: 0o666 });
  await once(witness, "listening");
});
afterEach(async () => {
  await front?.stop();
  front = undefined;
});
afterAll(async () => {
  await serving?.stop();
  await new Promise<void>((resolve) => void witness.close(() => resolve()));
  await rm(conf, { recursive: true, force: true });
});

async function start(
  name: ServerName,
  config: string,
  values: { readonly SOCKET?: string; readonly PROVIDER?: string } = {},
): Promise<Front> {
  const file = fileURLToPath(new URL(`../../${config}`, import.meta.url));
  const modules = values.PROVIDER === undefined ? [] : ["auth_openidc"];
  const put = { SOCKET: serving.socket, CONF: conf, ...values };
  return (front = await startWebServer({ name, config: file, modules, values: put }));
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

  describe.runIf(hasModule("lighttpd", "openssl"))("lighttpd", () => {
    it("tells the app", async () => {
      await start("lighttpd", "examples/lighttpd/client-certificate.conf");
      expect(await get("ada")).toBe("200 By certificate: O = Members, CN = ada\n");
      expect(await get(null)).toBe("200 Nobody\n");
      expect(await get("eve")).toBe("200 Nobody\n");
    });

    it("has a name for REMOTE_USER only from a certificate that it has verified", async () => {
      await start("lighttpd", "examples/lighttpd/client-certificate.conf", { SOCKET: at("witness.sock") });
      const told = async (who: string | null) => {
        const { cgi } = JSON.parse((await get(who)).slice("200 ".length)) as Told;
        const { REMOTE_USER, SSL_CLIENT_VERIFY, SSL_CLIENT_S_DN_CN, SSL_CLIENT_CERT } = cgi;
        return [REMOTE_USER, SSL_CLIENT_S_DN_CN, SSL_CLIENT_VERIFY, SSL_CLIENT_CERT?.trim()];
      };
      const certificate = String(await readFile(at("ada.pem"))).trim();
      expect(await told("ada")).toEqual(["ada", "ada", "SUCCESS", certificate]);
      expect(await told(null)).toEqual([undefined, undefined, "NONE", undefined]);
      expect(await told("eve")).toEqual([undefined, undefined, expect.stringMatching(/^FAILED:/), undefined]);
    });
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

describe.runIf(hasModule("apache", "auth_openidc"))("by an OpenID provider", () => {
  const ADA = {
    ...{ sub: "4711", email: "ada@example.org", name: "Ada, née Byron", groups: ["members", "staff"] },
    "https://example.org/role": "admin",
  };
  let provider: OpenIdProvider;

  beforeAll(async () => {
    const site = { id: "members", secret: "change-this", callback: "/openid-callback" };
    provider = await startOpenIdProvider(site, ADA);
    await writeFile(at("openid-passphrase"), "a secret of the site's own\n");
  });
  afterAll(async () => await provider?.stop());

  async function behind(socket: string): Promise<string> {
    const values = { SOCKET: socket, PROVIDER: provider.issuer };
    return (await start("apache", "apache-examples/login-openidc.conf", values)).url;
  }

  it("Apache sends a stranger there and tells the app who comes back, until the logout", async () => {
    const url = await behind(serving.socket);
    const visitor = new Visitor();
    const sent = await visitor.get(`${url}/page?a=b`, CLAIMED);
    expect([sent.status, located(sent)]).toEqual([302, expect.stringContaining(`${provider.issuer}/authorize?`)]);
    expect(String((await visitor.follow(sent)).body)).toBe("By OpenID Connect: 4711, ada@example.org\n");
    // A session, with no further redirect, whatever the client claims to be.
    const again = await visitor.get(`${url}/page`, CLAIMED);
    expect(`${again.status} ${String(again.body)}`).toBe("200 By OpenID Connect: 4711, ada@example.org\n");

    const left = await visitor.get(`${url}/openid-callback?logout=${encodeURIComponent(`${url}/bye`)}`);
    expect([left.status, located(left)]).toEqual([302, `${url}/bye`]);
    expect((await visitor.get(`${url}/page`)).status).toBe(302);
    // A script, which asks for no page, has no use for a form.
    expect((await call(url, { path: "/", headers: CLAIMED })).status).toBe(401);
  });

  it("Apache tells what the provider says as variables, in which no header of a client's can write", async () => {
    const url = await behind(at("witness.sock"));
    const visitor = new Visitor();
    const told = ({ body }: Answer): Told => JSON.parse(String(body)) as Told;
    const honest = told(await visitor.follow(await visitor.get(`${url}/page`)));
    expect(honest.cgi).toMatchObject({
      ...{ REMOTE_USER: "4711", AUTH_TYPE: "openid-connect", OIDC_CLAIM_sub: "4711", OIDC_CLAIM_iss: provider.issuer },
      ...{ OIDC_CLAIM_email: "ada@example.org", OIDC_CLAIM_groups: "members,staff" },
      OIDC_CLAIM_name: Buffer.from(ADA.name).toString("latin1"),
      "OIDC_CLAIM_https---example.org-role": "admin",
    });
    expect(honest.headers).not.toHaveProperty("cookie");

    const { cgi, headers } = told(await visitor.get(`${url}/page`, CLAIMED));
    expect({ ...cgi, REMOTE_PORT: "" }).toEqual({ ...honest.cgi, REMOTE_PORT: "" });
    expect(headers).toMatchObject({ "remote-user": "SUCCESS" });
    expect(headers).not.toHaveProperty("oidc-claim-email");
  });
});

interface Told {
  readonly cgi: Readonly<Record<string, string | undefined>>;
  readonly headers: Readonly<Record<string, string>>;
}

/** A browser, as far as mod_auth_openidc looks: it wants a page, and keeps cookies. */
class Visitor {
  readonly #cookies = new Map<string, string>();

  async get(url: string, headers: readonly string[] = []): Promise<Answer> {
    const { origin, host, pathname, search } = new URL(url);
    const cookies = Array.from(this.#cookies, ([name, value]) => `${name}=${value}`).join("; ");
    const own = ["Host", host, "Accept", "text/html", ...(cookies === "" ? [] : ["Cookie", cookies])];
    const answer = await call(origin, { path: pathname + search, headers: [...own, ...headers] });
    for (const [header, line] of answer.headers) {
      const [, name, value] = (header === "set-cookie" && /^([^=]+)=([^;]*)/.exec(line)) || [];
      if (value === "") this.#cookies.delete(name!);
      else if (value !== undefined) this.#cookies.set(name!, value);
    }
    return answer;
  }

  /** The answer at the end of all redirects, of which a login takes three. */
  async follow(answer: Answer, hops = 3): Promise<Answer> {
    const location = located(answer);
    return location === undefined || hops === 0 ? answer : await this.follow(await this.get(location), hops - 1);
  }
}

function located({ headers }: Answer): string | undefined {
  return headers.find(([name]) => name === "location")?.[1];
}

function at(name: string): string {
  return join(conf, name);
}

function files(who: string): string[] {
  return ["-keyout", at(`${who}.key`), "-out", at(`${who}.pem`)];
}

function openssl(...args: string[]): boolean {
  return spawnSync("openssl", args, { stdio: "ignore" }).status === 0;
}
