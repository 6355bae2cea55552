import { describe, expect, it } from "vitest";
import { fastCgiValues } from "../../../src/client/fastcgi-values.ts";
import { decodePairs, rawResponder, record } from "./raw-responder.ts";

describe("FCGI_GET_VALUES", () => {
  it("asks for names and gives the values, then closes the connection", async () => {
    const { port, connections } = await rawResponder((_, { socket }) => {
      socket.write(record(10, 0, "\x0f\x01FCGI_MPXS_CONNS1", 7));
    });
    const values = await fastCgiValues({ port }, ["FCGI_MPXS_CONNS", "FCGI_MAX_CONNS"]);
    expect([...values]).toEqual([["FCGI_MPXS_CONNS", "1"]]);
    expect(connections[0]!.records).toMatchObject([{ type: 9, id: 0 }]);
    expect(decodePairs(connections[0]!.stream(9))).toEqual([
      ["FCGI_MPXS_CONNS", ""],
      ["FCGI_MAX_CONNS", ""],
    ]);
    await expect.poll(() => connections[0]!.socket.destroyed).toBe(true);
  });

  it("fails with a code when the responder does not know the question, closes, or stays silent", async () => {
    const { port, connections } = await rawResponder((_, { socket, number }) => {
      if (number === 0) socket.write(record(11, 0, "\x09\0\0\0\0\0\0\0"));
      if (number === 1) socket.end();
    });
    const names = ["FCGI_MAX_CONNS"];
    await expect(fastCgiValues({ port }, names)).rejects.toMatchObject({ code: "FCGI_BAD_RECORD" });
    await expect(fastCgiValues({ port }, names)).rejects.toMatchObject({ code: "FCGI_TRUNCATED" });
    await expect(fastCgiValues({ port }, names, { timeout: 30 })).rejects.toMatchObject({ code: "ETIMEDOUT" });
    await expect.poll(() => connections.every(({ socket }) => socket.destroyed)).toBe(true);
  });
});
