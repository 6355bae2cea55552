/** A small OpenID Connect provider on loopback: it lets everybody in as the same person, and asks the site for its secret. */
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface OpenIdProvider {
  /** Its own name, and the beginning of all its URLs. */
  readonly issuer: string;
  stop(): Promise<void>;
}

interface Site {
  readonly id: string;
  readonly secret: string;
  /** The path that it may send visitors back to. */
  readonly callback: string;
}

/** `claims` go into the answer of its userinfo endpoint, where most providers have them; `sub` stands in the token too. */
export async function startOpenIdProvider(
  site: Site,
  claims: Readonly<Record<string, unknown>> & { readonly sub: string },
): Promise<OpenIdProvider> {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const credentials = `Basic ${Buffer.from(`${site.id}:${site.secret}`).toString("base64")}`;
  const accessToken = randomUUID();
  /** Redirect URI and nonce of each code that was given out and not yet taken back. */
  const codes = new Map<string, readonly [back: string, nonce: string | null]>();

  const answers: Readonly<Record<string, (asked: URLSearchParams, req: IncomingMessage) => object | string | null>> = {
    "/.well-known/openid-configuration": () => ({
      ...{ issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token` },
      ...{ jwks_uri: `${issuer}/keys`, userinfo_endpoint: `${issuer}/userinfo`, response_types_supported: ["code"] },
      ...{ subject_types_supported: ["public"], id_token_signing_alg_values_supported: ["RS256"] },
    }),
    "/keys": () => ({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "1", use: "sig", alg: "RS256" }] }),
    "/authorize": (asked) => {
      const back = new URL(asked.get("redirect_uri") ?? "");
      const known = asked.get("client_id") === site.id && back.pathname === site.callback;
      if (!known || asked.get("response_type") !== "code" || !asked.get("scope")?.split(" ").includes("openid")) {
        return null;
      }
      const code = randomUUID();
      codes.set(code, [back.href, asked.get("nonce")]);
      back.search = String(new URLSearchParams({ code, state: asked.get("state") ?? "" }));
      return back.href;
    },
    "/token": (asked, { headers }) => {
      const code = asked.get("code") ?? "";
      const [back, nonce] = codes.get(code) ?? [];
      codes.delete(code);
      if (back === undefined || asked.get("redirect_uri") !== back || headers.authorization !== credentials)
        return null;
      const now = Math.floor(Date.now() / 1000);
      const { sub } = claims;
      const signed = [
        { alg: "RS256", kid: "1", typ: "JWT" },
        { iss: issuer, aud: site.id, sub, nonce, iat: now, exp: now + 300 },
      ].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
      const signature = sign("sha256", Buffer.from(signed.join(".")), privateKey).toString("base64url");
      const idToken = [...signed, signature].join(".");
      return { access_token: accessToken, token_type: "Bearer", expires_in: 300, id_token: idToken };
    },
    "/userinfo": (_, { headers }) => (headers.authorization === `Bearer ${accessToken}` ? claims : null),
  };

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { pathname, search } = new URL(req.url!, issuer);
    const asked = new URLSearchParams(req.method === "POST" ? await text(req) : search);
    const told = answers[pathname]?.(asked, req) ?? null;
    if (told === null) res.writeHead(400).end();
    else if (typeof told === "string") res.writeHead(302, { Location: told }).end();
    else res.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(told));
  }

  const server = createServer((req, res) => void answer(req, res));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
