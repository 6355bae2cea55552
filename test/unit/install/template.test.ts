import { describe, expect, it } from "vitest";

import { installVariables } from "../../../src/install/variables.ts";
import { fillTemplate } from "../../../src/install/template.ts";

const VARIABLES = { name: "wiki", secret: "$name ${name} %(here)s" };

describe("a template", () => {
  it.for([
    ["socket = %(here)s/${name}.sock", "socket = %(here)s/wiki.sock"],
    ["$name.$name", "wiki.wiki"],
    ["costs $$5, $${name}", "costs $5, ${name}"],
    ["key = ${secret}", "key = $name ${name} %(here)s"],
    ["", ""],
  ])("%j becomes %j", ([template, text]) => {
    expect(fillTemplate(template!, VARIABLES, "t")).toBe(text);
  });

  it.for([
    [
      "a\nb = ${nam}",
      'CONFIG_TEMPLATE: t:2 nobody has said what ${nam} is, did you mean "name"?; give it as nam=VALUE',
    ],
    ["x = ${sql.url}", 'CONFIG_TEMPLATE: t:1 "${sql.url}" is neither ${name} nor $$'],
    ["\n\nprice = 5$", 'CONFIG_TEMPLATE: t:3 "$" is neither'],
    ["${name", 'CONFIG_TEMPLATE: t:1 "$" is neither'],
    ["${}", 'CONFIG_TEMPLATE: t:1 "${}" is neither'],
    ["${constructor}", "CONFIG_TEMPLATE: t:1 nobody has said what ${constructor} is"],
  ])("%j is refused: %s", ([template, message]) => {
    expect(() => fillTemplate(template!, VARIABLES, "t")).toThrow(message);
  });
});

describe("the variables of an instance", () => {
  const app = { package: "@site/Wiki", directory: "/srv", entry: "main" };

  it("have a name, an id and a secret of 256 bits of their own each time", () => {
    const [one, other] = [installVariables(app, {}), installVariables(app, {})];
    expect(one).toMatchObject({ app_name: "wiki", project_name: "@site/Wiki", ep_name: "main" });
    expect(one["app_instance_uuid"]).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(one["app_instance_secret"]).toMatch(/^[\w-]{43}$/);
    expect(one["app_instance_uuid"]).not.toBe(other["app_instance_uuid"]);
    expect(one["app_instance_secret"]).not.toBe(other["app_instance_secret"]);
  });

  it("are what the command line says, but for what the package is", () => {
    const variables = installVariables(app, { app_instance_secret: "mine", ep_name: "x", more: "1" });
    expect(variables).toMatchObject({ app_instance_secret: "mine", ep_name: "main", more: "1" });
  });
});
