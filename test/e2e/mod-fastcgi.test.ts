/** Apache with mod_fastcgi, where there is one; test/interop/mod-fastcgi.test.ts has what it sends. */
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { Backends } from "../support/backends.ts";
import { type Front, isRunnable } from "../support/front.ts";
import { type Answer, call } from "../support/http-client.ts";

const able = isRunnable({ server: "apache", protocol: "fastcgi", connector: "mod_fastcgi" });

const EXAMPLES = [
  ["tcp", ""],
  ["unix", ""],
  ["tcp", "/james"],
  ["unix", "/james"],
  ["unix", "/app.fcgi"],
] as const;
const backends = new Backends();

beforeAll(async () => {
  if (able) await backends.start(EXAMPLES.map(([transport]) => ({ protocol: "fastcgi", transport, mount: "auto" })));
});
afterAll(() => backends.stop());

describe.skipIf(!able).each(EXAMPLES)("mod_fastcgi over %s, mounted at '%s'", (transport, prefix) => {
  let front: Front;
  const json = ({ status, body }: Answer): unknown => (status === 200 ? JSON.parse(String(body)) : status);

  beforeAll(async () => {
    const ending = { "": "", "/james": "-james", "/app.fcgi": "-extension" }[prefix];
    const file = fileURLToPath(
      new URL(`../../apache-examples/mod_fastcgi-${transport}${ending}.conf`, import.meta.url),
    );
    const documents = prefix === "/app.fcgi" ? { "app.fcgi": "" } : {};
    front = await backends.front({ server: "apache", protocol: "fastcgi", transport, mount: "auto", file, documents });
  });
  afterAll(() => front?.stop());

  it("tells the app the URL below its mount, the mount and Authorization", async () => {
    const headers = ["Authorization", "Basic dXNlcjpwYXNz"];
    expect(json(await call(front.url, { path: `${prefix}/inspect?a=%2F1`, headers }))).toMatchObject({
      method: "GET",
      url: "/inspect?a=%2F1",
      baseUrl: prefix,
      originalUrl: `${prefix}/inspect?a=%2F1`,
      headers: { authorization: "Basic dXNlcjpwYXNz" },
    });
  });

  it("takes a body with a length, and one without is refused by the module", async () => {
    const [method, path] = ["POST", `${prefix}/digest`];
    expect(json(await call(front.url, { method, path, body: "abc" }))).toMatchObject({ length: 3 });
    expect((await call(front.url, { method, path, body: ["one", "two"] })).status).toBe(411);
  });
});
