/** What a template may ask for, beside what the command line gives. */
import { randomBytes, randomUUID } from "node:crypto";

import type { InstallVariables, InstalledApp } from "./installer.ts";

/** Bytes of a secret: 256 bits. */
const SECRET = 32;

/** The given ones win. `app_instance_secret` has no character that means something in an .ini file. */
export function installVariables(app: InstalledApp, given: InstallVariables): InstallVariables {
  return {
    app_name: app.package.toLowerCase().replace(/^@[^/]*\//, ""),
    app_instance_uuid: randomUUID(),
    app_instance_secret: randomBytes(SECRET).toString("base64url"),
    ...given,
    project_name: app.package,
    requirement: app.package,
    ep_name: app.entry,
    ep_group: "app",
  };
}
