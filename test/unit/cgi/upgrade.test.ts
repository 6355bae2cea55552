import { describe, expect, it } from "vitest";

import { mayUpgrade, upgradeOf } from "../../../src/cgi/upgrade.ts";
import type { ProtocolName } from "../../../src/exchange.ts";
import { paramsOf } from "../../support/params.ts";

describe("what a request asks to be upgraded to", () => {
  it.each([
    ["websocket", "Upgrade", "websocket"],
    ["WebSocket", "keep-alive, upgrade", "websocket"],
    ["h2c", "Upgrade,HTTP2-Settings", "h2c"],
  ])("is Upgrade %j with Connection %j", (upgrade, connection, protocol) => {
    expect(
      upgradeOf(
        paramsOf([
          ["HTTP_UPGRADE", upgrade],
          ["HTTP_CONNECTION", connection],
        ]),
      ),
    ).toBe(protocol);
  });

  it.each([
    [[["HTTP_UPGRADE", "websocket"]]],
    [[["HTTP_CONNECTION", "Upgrade"]]],
    [
      [
        ["HTTP_UPGRADE", "websocket"],
        ["HTTP_CONNECTION", "keep-alive"],
      ],
    ],
    [
      [
        ["HTTP_UPGRADE", ""],
        ["HTTP_CONNECTION", "Upgrade"],
      ],
    ],
  ] as [string, string][][][])("is nothing with %j", (variables) => {
    expect(upgradeOf(paramsOf(variables))).toBeNull();
  });
});

describe("whether an upgrade may be carried", () => {
  const may = (protocol: ProtocolName, more: Readonly<Record<string, string>>): boolean => {
    const asked = { HTTP_UPGRADE: "websocket", HTTP_CONNECTION: "Upgrade", SERVER_PROTOCOL: "HTTP/1.1" };
    return mayUpgrade(protocol, paramsOf(Object.entries({ ...asked, ...more })));
  };

  it.each([
    ["nginx/1.22.1", { fastcgi: false, scgi: true }],
    ["nginx", { fastcgi: false, scgi: true }],
    ["lighttpd/1.4.74", { fastcgi: true, scgi: true }],
    ["lighttpd/1.4.79 (Debian)", { fastcgi: true, scgi: true }],
    ["lighttpd/1.4.100", { fastcgi: true, scgi: true }],
    ["lighttpd/1.5.0", { fastcgi: true, scgi: true }],
    ["lighttpd/2.0.0", { fastcgi: true, scgi: true }],
    ["lighttpd/1.4.73", { fastcgi: false, scgi: false }],
    ["lighttpd/1.4.69", { fastcgi: false, scgi: false }],
    ["lighttpd/1.4.9-devel", { fastcgi: false, scgi: false }],
    ["lighttpd/1.3.16", { fastcgi: false, scgi: false }],
    ["Apache/2.4.66 (Debian) OpenSSL/3.0.17", { fastcgi: false, scgi: false }],
    // ServerTokens Prod
    ["Apache", { fastcgi: false, scgi: false }],
    ["Caddy/2.6.2", { fastcgi: false, scgi: false }],
    // server.tag
    ["lighttpd", { fastcgi: true, scgi: true }],
    ["a server of ours", { fastcgi: true, scgi: true }],
    ["behind nginx and Apache", { fastcgi: true, scgi: true }],
    ["", { fastcgi: true, scgi: true }],
  ])("by SERVER_SOFTWARE %j is %j", (software, { fastcgi, scgi }) => {
    const said = { SERVER_SOFTWARE: software };
    expect([may("fastcgi", said), may("scgi", said), may("ajp", said)]).toEqual([fastcgi, scgi, false]);
  });

  it("is believed of a web server that says nothing of itself", () => {
    expect(
      mayUpgrade(
        "scgi",
        paramsOf([
          ["HTTP_UPGRADE", "x"],
          ["HTTP_CONNECTION", "upgrade"],
        ]),
      ),
    ).toBe(true);
  });

  it.each(["HTTP/1.0", "HTTP/2.0", "HTTP/3.0"])("is not, of a request of %s", (version) => {
    expect(may("scgi", { SERVER_PROTOCOL: version, SERVER_SOFTWARE: "nginx/1.22.1" })).toBe(false);
  });

  it("is not, of a request that asks for none", () => {
    expect(may("scgi", { HTTP_CONNECTION: "keep-alive", SERVER_SOFTWARE: "nginx/1.22.1" })).toBe(false);
  });

  it("is not for a client to say", () => {
    expect(may("scgi", { HTTP_SERVER_SOFTWARE: "nginx/1.22.1", SERVER_SOFTWARE: "Apache" })).toBe(false);
  });
});
