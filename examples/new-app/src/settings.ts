/** The app's settings: the strings of its configuration, checked once. */

/** The keys of a section in an `.ini` file, as they stand there. */
export type Conf = Readonly<Record<string, string>>;

export interface Settings {
  readonly greeting: string;
  /** The text that the first page shows. */
  readonly dataFile: string;
  /** Signs the cookies. */
  readonly secret: string;
  /** Shows the stack of an error in the browser. */
  readonly debug: boolean;
}

/** The app's own keys over `[DEFAULT]`. @throws Error that names the key which is missing */
export function readSettings(globalConf: Conf, localConf: Conf): Settings {
  const { greeting = "Hello", data_file: dataFile, secret, debug = "" } = { ...globalConf, ...localConf };
  if (!dataFile) throw new Error(missing("data_file"));
  if (!secret) throw new Error(missing("secret"));
  return { greeting, dataFile, secret, debug: /^(true|yes|on|1)$/i.test(debug) };
}

function missing(key: string): string {
  return `the app's section of the .ini file needs a line "${key} = …"`;
}
