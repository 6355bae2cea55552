/** The roles of FastCGI beside the responder, each answered by an app of its own that the server's section names. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { fastCgiRequest } from "../../dist/client/fastcgi-request.js";
import { serve } from "../../dist/index.js";
import { FCGI_AUTHORIZER, FCGI_FILTER, FCGI_RESPONDER } from "../../dist/protocol/fastcgi/constants.js";
import { type Front, hasModule, INSTALLED, startWebServer } from "../support/front.ts";
import { type Answer, call } from "../support/http-client.ts";
import { note } from "../support/matrix.ts";
import { type Mode, Serving } from "../support/serving.ts";

const MODES: readonly Mode[] = ["single", "thread", "fork"];
const ROLES = { directory: "examples/roles", file: "roles.ini" } as const;

const PARAMS: readonly (readonly [string, string])[] = [
  ["REQUEST_METHOD", "GET"],
  ["REQUEST_URI", "/page"],
  ["SCRIPT_NAME", ""],
  ["PATH_INFO", "/page"],
  ["QUERY_STRING", ""],
  ["SERVER_PROTOCOL", "HTTP/1.1"],
];

type Params = readonly (readonly [string, string])[];

interface Seen {
  readonly status: number;
  readonly text: string;
  readonly headers: readonly string[];
}

async function askSocket(path: string, role: number, more: Params = [], data?: Uint8Array): Promise<Seen> {
  const { status, headers, body } = await fastCgiRequest({ path }, { params: [...PARAMS, ...more], role, data });
  let text = "";
  for await (const chunk of body) text += String(chunk);
  return { status, text, headers: headers.map(([name, value]) => `${name}: ${value}`) };
}

describe.each(MODES)("in the %s mode", (mode) => {
  let serving: Serving;
  beforeAll(async () => void (serving = await Serving.start({ ...ROLES, mode })));
  afterAll(() => serving?.stop());

  const ask = async (role: number, more?: Params, data?: Uint8Array): Promise<Seen> =>
    await askSocket(serving.socket, role, more, data);

  it("answers a responder by the app", async () => {
    expect(await ask(FCGI_RESPONDER)).toMatchObject({ status: 200, text: "GET /page: user -, group -\n" });
  });

  it("answers an authorizer by the app that the section names: asks, lets in with variables, turns away", async () => {
    expect(await ask(FCGI_AUTHORIZER)).toMatchObject({ status: 401, text: "Who is there?\n" });
    const known = await ask(FCGI_AUTHORIZER, [["HTTP_COOKIE", "door=ada.sesame"]]);
    expect(known.status).toBe(200);
    expect(known.headers).toEqual(
      expect.arrayContaining(["Variable-REMOTE_USER: ada", "Variable-DOOR_GROUP: friends"]),
    );
    expect(await ask(FCGI_AUTHORIZER, [["HTTP_COOKIE", "door=ada.wrong"]])).toMatchObject({ status: 403, text: "" });
  });

  it("answers a filter by the app that the section names, with the file in more than one window", async () => {
    const data = Buffer.alloc(700 * 1024, "a small letter ");
    const answer = await ask(FCGI_FILTER, [["FCGI_DATA_LENGTH", String(data.length)]], data);
    expect(answer.status).toBe(200);
    expect(answer.text === data.toString("latin1").toUpperCase()).toBe(true);
  });
});

it.each(["single", "thread"] as const)("serve() takes an app for a role by its name, in the %s mode", async (mode) => {
  const directory = await mkdtemp(join(tmpdir(), "propylon-roles-"));
  const socket = join(directory, "app.sock");
  const relativeTo = example("examples/roles");
  const app = "call:./app.js:makeApp";
  const server = await serve({ app, filter: "call:./upper.js:makeFilter", mode, socket, relativeTo });
  expect(await askSocket(socket, FCGI_FILTER, [], Buffer.from("abc"))).toMatchObject({ status: 200, text: "ABC" });
  expect(await askSocket(socket, FCGI_RESPONDER)).toMatchObject({ text: "GET /page: user -, group -\n" });
  expect(await askSocket(socket, FCGI_AUTHORIZER)).toMatchObject({ status: 500 });
  await server.close();
  await rm(directory, { recursive: true });
});

describe("behind a real web server", () => {
  let serving: Serving | undefined;
  let front: Front | undefined;
  afterEach(async () => {
    await front?.stop();
    await serving?.stop();
    front = serving = undefined;
  });

  const basic = (user: string, password: string): string[] => [
    "Authorization",
    `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
  ];
  const get = async (...headers: string[]): Promise<Answer> => await call(front!.url, { path: "/page", headers });
  const seen = ({ status, body }: Answer): string => `${status} ${String(body)}`;

  it.runIf(INSTALLED.has("lighttpd")).for(MODES)("lighttpd asks before it asks the app: %s", async (mode, context) => {
    serving = await Serving.start({ ...ROLES, mode });
    const config = example("examples/lighttpd/authorizer.conf");
    front = await startWebServer({ name: "lighttpd", config, values: { SOCKET: serving.socket } });
    const asked = await get();
    expect(seen(asked)).toBe("401 Who is there?\n");
    expect(asked.headers).toContainEqual(["www-authenticate", 'Basic realm="The door"']);
    expect(seen(await get(...basic("ada", "sesame")))).toBe("200 GET /page: user ada, group friends\n");
    expect((await get(...basic("ada", "wrong"))).status).toBe(403);
    // The authorizer gets no body, the app does.
    const post = await call(front.url, { method: "POST", path: "/page", body: "abc", headers: basic("bob", "sesame") });
    expect(seen(post)).toBe("200 POST /page: user bob, group friends\n");
    // A client's header is no variable.
    expect(seen(await get(...basic("ada", "sesame"), "Door-Group", "staff", "Variable-DOOR_GROUP", "staff"))).toBe(
      "200 GET /page: user ada, group friends\n",
    );
    note(context, "lighttpd fastcgi unix", "authorizer");
  });

  it.runIf(INSTALLED.has("lighttpd"))("lighttpd asks over TCP too", async (context) => {
    serving = await Serving.start({ ...ROLES, serverName: "tcp" });
    const config = join(serving.directory, "authorizer.conf");
    const text = await readFile(example("examples/lighttpd/authorizer.conf"), "utf8");
    const address = `"host" => "127.0.0.1", "port" => ${serving.port}`;
    await writeFile(config, text.replaceAll('"socket" => "/run/propylon/app.sock"', address));
    front = await startWebServer({ name: "lighttpd", config });
    expect(seen(await get())).toBe("401 Who is there?\n");
    expect(seen(await get(...basic("ada", "sesame")))).toBe("200 GET /page: user ada, group friends\n");
    note(context, "lighttpd fastcgi tcp", "authorizer");
  });

  const apache = hasModule("apache", "authnz_fcgi");
  it.runIf(apache).for(MODES)("Apache asks for user and permission: %s", async (mode, context) => {
    serving = await Serving.start({ ...ROLES, mode, serverName: "tcp" });
    const config = example("apache-examples/mod_authnz_fcgi.conf");
    front = await startWebServer({ name: "apache", config, values: { BACKEND_PORT: serving.port } });
    const asked = await get();
    expect(asked.status).toBe(401);
    expect(asked.headers).toContainEqual(["www-authenticate", 'Basic realm="The door"']);
    expect(seen(await get(...basic("ada", "sesame")))).toBe("200 GET /page: user ada, group friends\n");
    expect((await get(...basic("ada", "wrong"))).status).toBe(401);
    note(context, "apache fastcgi tcp", "authorizer");
  });

  it.runIf(apache)("Apache lets the app find the user by a cookie", async () => {
    serving = await Serving.start({ ...ROLES, serverName: "tcp" });
    const config = example("apache-examples/mod_authnz_fcgi-cookie.conf");
    front = await startWebServer({ name: "apache", config, values: { BACKEND_PORT: serving.port } });
    expect(seen(await get("Cookie", "door=ada.sesame"))).toBe("200 GET /page: user ada, group friends\n");
    expect((await get("Cookie", "door=ada.wrong")).status).toBe(403);
    expect((await get()).status).toBe(401);
  });
});

function example(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
