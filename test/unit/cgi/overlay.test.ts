import { expect, it } from "vitest";

import { overlay } from "../../../src/cgi/overlay.ts";
import { allVariables, serverVariables, variable } from "../../../src/cgi/variables.ts";
import { paramsOf } from "../../support/params.ts";

it("puts variables in place of all of the same name, and leaves the others", () => {
  const sent = paramsOf([
    ["HTTP_COOKIE", "a=1"],
    ["REMOTE_USER", "mallory"],
    ["HTTP_COOKIE", "b=2"],
    ["REQUEST_URI", "/x"],
  ]);
  const params = overlay(
    sent,
    new Map([
      ["REMOTE_USER", "bot"],
      ["HTTP_COOKIE", "c=3"],
      ["HTTPS", "on"],
      ["EMPTY", ""],
    ]),
  );
  expect(allVariables(params)).toEqual({
    ...{ REQUEST_URI: "/x", REMOTE_USER: "bot", HTTP_COOKIE: "c=3", HTTPS: "on", EMPTY: "" },
  });
  expect(variable(params, "HTTPS")).toBe("on");
  expect(serverVariables(params)).toEqual({ REQUEST_URI: "/x", REMOTE_USER: "bot", HTTPS: "on", EMPTY: "" });
  expect(allVariables(sent)).toMatchObject({ REMOTE_USER: "mallory", HTTP_COOKIE: "a=1; b=2" });
});
