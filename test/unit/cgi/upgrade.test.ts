import { describe, expect, it } from "vitest";

import { upgradeOf } from "../../../src/cgi/upgrade.ts";
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
