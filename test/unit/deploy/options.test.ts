import { describe, expect, it } from "vitest";

import { SERVER_OPTIONS, readServerSettings } from "../../../src/deploy/options.ts";
import { ConfigError } from "../../../src/errors.ts";
import { GATEWAY_OPTIONS, resolveGatewayOptions } from "../../../src/gateway/options.ts";

const aid = { placeOf: (key?: string) => ({ file: "a.ini", section: "server:main", key, line: 3 }) };

function read(localConf: Record<string, string>): ReturnType<typeof readServerSettings> {
  return readServerSettings(localConf, aid);
}

function faultOf(localConf: Record<string, string>): ConfigError {
  try {
    read(localConf);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("no error");
}

describe("SERVER_OPTIONS", () => {
  it("has every gateway option under the snake_case of its word", () => {
    for (const name of Object.keys(GATEWAY_OPTIONS)) {
      const option = SERVER_OPTIONS.find((option) => option.name === name);
      expect(option).toMatchObject({ scope: "gateway", key: expect.stringMatching(/^[a-z_]+$/) });
    }
  });

  it("spells no two options alike", () => {
    const spellings = SERVER_OPTIONS.flatMap(({ key, aliases }) => [key, ...aliases]);
    expect(new Set(spellings).size).toBe(spellings.length);
  });
});

describe("readServerSettings", () => {
  it("converts each option by its kind", () => {
    expect(
      read({
        socket: " /run/app.sock ",
        umask: "007",
        socket_mode: "660",
        multiplexed: "yes",
        max_params_bytes: "64k",
        body_timeout: "500ms",
        keepalive_timeout: "5m",
        backlog: "128",
        allowed_clients: "10.0.0.0/8, ::1  192.0.2.1",
        debug: "on",
        conflicting_headers: "drop",
        maxSpare: "5",
      }),
    ).toEqual({
      listen: { socket: "/run/app.sock", umask: 0o007, socketMode: 0o660 },
      app: { debug: true, conflictingHeaders: "drop" },
      gateway: {
        multiplexed: true,
        maxParamsBytes: 65_536,
        bodyTimeout: 500,
        keepaliveTimeout: 300_000,
        backlog: 128,
        allowedClients: ["10.0.0.0/8", "::1", "192.0.2.1"],
      },
      pool: { maxSpare: 5 },
      process: {},
    });
  });

  it("knows flup's spellings", () => {
    expect(read({ scriptName: "/james", allowedServers: "127.0.0.1", timeout: "30" })).toMatchObject({
      app: { mount: "/james" },
      gateway: { allowedClients: ["127.0.0.1"], requestTimeout: 30_000 },
    });
  });

  it("collects the variables of environ", () => {
    expect(read({ "environ.HTTPS": "on", "environ.REMOTE_USER": "bot", "environ.persistent-id": "x" }).app).toEqual({
      environ: { HTTPS: "on", REMOTE_USER: "bot", "persistent-id": "x" },
    });
    expect(faultOf({ "environ.": "x" })).toMatchObject({ code: "CONFIG_BAD_VALUE" });
    expect(faultOf({ "environ.A/B": "x" }).message).toContain('"A/B" is no name of a variable');
  });

  it("refuses two spellings of one option", () => {
    expect(faultOf({ mount: "/", scriptName: "/james" }).code).toBe("CONFIG_DUPLICATE");
  });

  it("suggests the nearest spelling for an unknown option and says where it stands", () => {
    const error = faultOf({ multiplex: "true" });
    expect(error.code).toBe("CONFIG_UNKNOWN_OPTION");
    expect(error.message).toContain(
      'a.ini:3 [server:main] multiplex: there is no such option, did you mean "multiplexed"?',
    );
    expect(faultOf({ maxParamsBytes: "1" }).message).toContain('"max_params_bytes"');
    expect(faultOf({ min_spare: "1" }).message).toContain('"minSpare"');
  });

  it.each([
    ["port", "http"],
    ["port", "65536"],
    ["socket", ""],
    ["multiplexed", "perhaps"],
    ["backlog", "0"],
    ["max_params", "1.5"],
    ["body_timeout", "soon"],
    ["keepalive_requests", "-1"],
    ["roles", "responder, manager"],
    ["roles", ""],
    ["authorizer", ""],
    ["conflicting_headers", "ignore"],
    ["socket_mode", "0888"],
    ["mount", "james"],
    ["scriptName", "james"],
  ])("refuses %s = %s at its line", (key, value) => {
    const error = faultOf({ [key]: value });
    expect(error.code).toBe("CONFIG_BAD_VALUE");
    expect(error.place).toMatchObject({ key, line: 3 });
  });

  it("lets through nothing that the gateway itself would refuse", () => {
    for (const [name, option] of Object.entries(GATEWAY_OPTIONS)) {
      const { key } = SERVER_OPTIONS.find((option) => option.name === name)!;
      const text = Array.isArray(option.default)
        ? (option.words?.[0] ?? "")
        : option.kind === "ms"
          ? `${option.min}ms`
          : String(option.min ?? "true");
      expect(() => resolveGatewayOptions(read({ [key]: text }).gateway)).not.toThrow();
    }
  });

  it("names the other word of an option that comes twice", () => {
    expect(faultOf({ timeout: "5", request_timeout: "6" }).message).toContain(
      "request_timeout: is another word for timeout, which is given too",
    );
  });
});
