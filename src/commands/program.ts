/** The command line: every command with its options, and what its exit codes mean. */
import { readFileSync } from "node:fs";
import { Command, Option } from "commander";

import { type ServeFlags, serve } from "./serve.ts";

const EXIT_CODES = `
Exit codes:
  0  all went well; a server was stopped by SIGTERM or SIGINT and has answered what it had in hand
  1  failure while running: cannot listen, the app cannot be loaded, an exception that nobody caught
  2  wrong usage, or a fault in the configuration
  130, 143  stopped at once by a second SIGINT or SIGTERM`;

/** The program as commander knows it; parsing its arguments runs the command. */
export function createProgram(): Command {
  const program = new Command("propylon")
    .description("Serves a Node.js app behind a web server, over FastCGI or SCGI.")
    .version(packageVersion(), "-V, --version")
    .addHelpText("after", EXIT_CODES)
    // Wrong usage is 2, as it is of any Unix program; commander's own is 1.
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));

  program
    .command("serve")
    .summary("serve the app that a file describes")
    .description(
      "Serves [app:main] of FILE.ini by [server:main]. SIGTERM and SIGINT answer what is in hand, then stop.",
    )
    .argument("<FILE.ini>", "the configuration; FILE.ini#NAME serves [app:NAME]")
    .argument("[var=value...]", "variables: %(var)s in the file and in globalConf, over [DEFAULT]")
    .option("-n, --app-name <NAME>", "serve [app:NAME] (default: main)")
    .option("--server-name <NAME>", "serve by [server:NAME] (default: main)")
    .addOption(new Option("-q, --quiet", "say nothing but warnings and errors").conflicts("verbose"))
    .option("-v, --verbose", "say more, and show the stack of errors")
    .addHelpText(
      "after",
      `${EXIT_CODES}\n\nExample:\n  propylon serve wiki.ini\n  propylon serve wiki.ini --server-name dev port=8080`,
    )
    .action(async (file: string, variables: string[], flags: ServeFlags) => {
      await serve(file, variables, flags);
    });
  return program;
}

function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
