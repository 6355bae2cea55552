import { describe, expect, it } from "vitest";

import { GATEWAY_OPTIONS, resolveGatewayOptions } from "../../../src/gateway/options.ts";

describe("the gateway's options", () => {
  it("fill in every default, frozen", () => {
    const options = resolveGatewayOptions();
    expect(Object.keys(options)).toEqual(Object.keys(GATEWAY_OPTIONS));
    expect(options.maxParamsBytes).toBe(262_144);
    expect(options.roles).toEqual(["responder"]);
    expect(Object.isFrozen(options)).toBe(true);
    expect(Object.isFrozen(options.roles)).toBe(true);
  });

  it("keep what is given, and take undefined for the default", () => {
    const options = resolveGatewayOptions({ maxBodyBytes: 7, multiplexed: true, backlog: undefined as never });
    expect(options).toMatchObject({ maxBodyBytes: 7, multiplexed: true, backlog: 511 });
  });

  it("refuse an unknown name and suggest the nearest", () => {
    expect(() => resolveGatewayOptions({ maxBodyByte: 1 } as never)).toThrow(
      /CONFIG_UNKNOWN_OPTION.*did you mean "maxBodyBytes"\?/,
    );
    expect(() => resolveGatewayOptions({ write_stall_timeout: 1 } as never)).toThrow(
      /did you mean "writeStallTimeout"\?/,
    );
    expect(() => resolveGatewayOptions({ colour: 1 } as never)).toThrow(/there is no option colour$/);
  });

  it.each([
    [{ maxParams: 0 }, /maxParams: 0 is no whole number from 1/],
    [{ bodyTimeout: 1.5 }, /bodyTimeout: 1.5 is no whole number from 0/],
    [{ bodyTimeout: "30s" }, /bodyTimeout: "30s" is no whole number/],
    [{ multiplexed: 1 }, /multiplexed: 1 is neither true nor false/],
    [{ roles: [] }, /roles: it holds none of responder, authorizer, filter/],
    [{ roles: ["responder", "actor"] }, /roles: "actor" is none of responder, authorizer, filter/],
    [{ packetSize: 65_537 }, /packetSize: 65537 is no whole number from 8192 to 65536/],
    [{ secret: 1 }, /secret: it is no text/],
    [{ allowedClients: "10.0.0.1" }, /allowedClients: "10.0.0.1" is no list/],
  ])("refuse %o", (given, message) => {
    expect(() => resolveGatewayOptions(given as never)).toThrow(message);
  });
});
