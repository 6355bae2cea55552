/** One source of truth: an example configuration is what the command prints for it, but for its heading. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";

import { apacheConfig } from "../../../src/web-config/apache.ts";
import { caddyConfig } from "../../../src/web-config/caddy.ts";
import { lighttpdConfig } from "../../../src/web-config/lighttpd.ts";
import { nginxConfig } from "../../../src/web-config/nginx.ts";
import type { Site } from "../../../src/web-config/site.ts";
import { CONFIGURATIONS, type Configuration, SPAWNED } from "../../e2e/configurations.ts";
import { ROOT } from "../../support/examples.ts";

const WRITERS: Readonly<Record<string, (site: Site) => string>> = {
  apache: apacheConfig,
  lighttpd: lighttpdConfig,
  nginx: nginxConfig,
  caddy: caddyConfig,
};
const PORTS = { fastcgi: 6500, scgi: 4000, ajp: 8009 };

const printed = CONFIGURATIONS.filter(({ server }) => server in WRITERS);

function siteOf({ protocol, transport, prefix, secret, file }: Configuration): Site {
  return {
    ...{ name: "app", file: "/srv/app.ini", place: {}, protocol, prefix, knowsPrefix: true, secret },
    address: transport === "unix" ? { path: "/run/propylon/app.sock" } : { host: "127.0.0.1", port: PORTS[protocol] },
    backendName: prefix === "" ? "localhost" : prefix.slice(1),
    socketGroup: file.includes("caddy") ? "caddy" : "www-data",
    ...{ files: [], kept: [], listen: { host: "127.0.0.1", port: 8080 }, root: "/srv/www" },
  };
}

/** What follows the comments at its head. */
function body(text: string): string {
  return text.replace(/^(?:#.*\n)+\n/, "");
}

describe("what propylon web-config prints", () => {
  it.each(printed.map((each) => [basename(each.file), each] as const))("is %s", (_name, configuration) => {
    const example = readFileSync(configuration.file, "utf8");
    expect(body(WRITERS[configuration.server]!(siteOf(configuration)))).toBe(body(example));
  });

  it("is that of an app with WebSockets: nginx/scgi-upgrade.conf", () => {
    const file = join(ROOT, "examples/nginx/scgi-upgrade.conf");
    const way = { title: "", server: "nginx", protocol: "scgi", transport: "unix", prefix: "", mount: "auto" } as const;
    const site = { ...siteOf({ ...way, file }), upgradeIdleTimeout: 300_000 };
    expect(body(nginxConfig(site))).toBe(body(readFileSync(file, "utf8")));
  });

  it.each(SPAWNED.map((each) => [basename(each.file), each] as const))(
    "is that of an app that the web server starts: %s",
    (_name, configuration) => {
      const { server, prefix, file } = configuration;
      const address = { spawn: ["/srv/app/start.sh"] };
      // Apache's name of what need not exist.
      const name = server === "apache" && prefix !== "" ? "james" : "app";
      const text = WRITERS[server]!({ ...siteOf(configuration), address, name });
      expect(body(text)).toBe(body(readFileSync(file, "utf8")));
    },
  );

  it.each([
    ["apache", "apache-examples/mod_xsendfile.conf", "X-Sendfile"],
    ["lighttpd", "examples/lighttpd/x-sendfile.conf", "X-Sendfile"],
    ["nginx", "examples/nginx/x-accel-redirect.conf", "X-Accel-Redirect"],
    ["caddy", "examples/caddy/x-sendfile.Caddyfile", "X-Sendfile"],
  ] as const)("is that of files that %s sends: %s", (server, name, header) => {
    const file = join(ROOT, name);
    const sendfile = { header, root: "/srv/files/", place: "/internal/" };
    const configuration = { title: "", server, protocol: "fastcgi", transport: "unix", mount: "auto" } as const;
    const site = siteOf({ ...configuration, prefix: "", file });
    expect(body(WRITERS[server]!({ ...site, sendfile }))).toBe(body(readFileSync(file, "utf8")));
  });

  it("has an example of each of them", () => {
    expect(new Set(printed.map(({ server }) => server)).size).toBe(4);
    expect(printed.length).toBeGreaterThanOrEqual(36);
  });
});
