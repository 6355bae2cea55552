/** What `propylon setup-app` runs: the tables and the first pages of a new wiki. */
import { readSettings } from "./settings.js";
import { seed } from "./seed.js";
import { Store } from "./store.js";

/**
 * Makes the database where the configuration says. May be run again: what is there stays.
 *
 * @param {unknown} _command
 * @param {{ globalConf: Record<string, string>, localConf: Record<string, string> }} conf
 * @param {Record<string, string>} _vars
 */
export async function setupApp(_command, conf, _vars) {
  const settings = readSettings(conf.globalConf, conf.localConf);
  const store = new Store(settings.database);
  try {
    const pages = seed(store);
    console.log(
      pages === 0 ? `${settings.database} is set up already` : `${settings.database}: ${pages} pages written`,
    );
  } finally {
    store.close();
  }
}
