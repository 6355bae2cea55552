/** The wiki's settings: the strings of its `.ini` section, checked once. */
import { dirname, resolve } from "node:path";

/**
 * @typedef {object} Settings
 * @property {string} database  the SQLite file
 * @property {string} pictures  the folder of the uploaded pictures
 * @property {string} secret  signs the forms
 * @property {string} siteName
 * @property {boolean} debug  shows stack traces in the browser
 */

/**
 * @param {Record<string, string>} globalConf  `[DEFAULT]`
 * @param {Record<string, string>} localConf  the app's own section
 * @returns {Readonly<Settings>}
 * @throws {Error} naming the key that is missing
 */
export function readSettings(globalConf, localConf) {
  const conf = { ...globalConf, ...localConf };
  for (const key of ["database", "secret"])
    if (!conf[key]) throw new Error(`the wiki's section of the .ini file needs a line "${key} = …"`);
  return Object.freeze({
    database: conf.database,
    pictures: resolve(conf.pictures || `${dirname(conf.database)}/pictures`),
    secret: conf.secret,
    siteName: conf.site_name || "Gatehouse",
    debug: /^(true|yes|on|1)$/i.test(conf.debug ?? ""),
  });
}
