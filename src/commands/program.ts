/** The command line: every command with its options, and what its exit codes mean. */
import { Command, Option } from "commander";

import type { CreateFlags } from "./create.ts";
import type { DoctorFlags } from "./doctor.ts";
import type { MakeConfigFlags } from "./make-config.ts";
import type { PointsFlags } from "./points.ts";
import type { ReloadFlags } from "./reload.ts";
import type { RequestFlags } from "./request.ts";
import type { ServeFlags } from "./serve.ts";
import type { SetupAppFlags } from "./setup-app.ts";
import type { StatusFlags } from "./status.ts";
import { packageVersion } from "./version.ts";
import type { WebConfigFlags } from "./web-config.ts";

const EXIT_CODES = `
Exit codes:
  0  all went well; a server was stopped by SIGTERM or SIGINT and has answered what it had in hand
  1  failure while running: cannot listen, the app cannot be loaded, an exception that nobody caught;
     stop and status: no server runs
  2  wrong usage, or a fault in the configuration
  130, 143  stopped at once by a second SIGINT or SIGTERM`;

const STATUS_EXIT_CODES = `
Exit codes:
  0  the server runs and is ready for requests; a watch was ended
  1  no server answers
  2  wrong usage, or a fault in the configuration
  3  the server answers, but is not ready: it starts, stops, or has no worker that answers`;

const RELOAD_EXIT_CODES = `
Exit codes:
  0  the new configuration serves
  1  no server answers; the reload failed, and what served goes on; it took too long
  2  wrong usage, or a fault in the configuration that is found before the server is asked`;

const CREATE_EXIT_CODES = `
Exit codes:
  0  the package is written
  1  it cannot be written, and nothing of it is left
  2  wrong usage, no name for an npm package, a directory that is not empty`;

const MAKE_CONFIG_EXIT_CODES = `
Exit codes:
  0  the file is written, or was so already
  1  the file has other content and was kept, or cannot be written; the editor or the set-up failed
  2  wrong usage, no such package or app, a template that cannot be filled`;

const SETUP_APP_EXIT_CODES = `
Exit codes:
  0  the app is set up, or has nothing to set up
  1  its set-up failed
  2  wrong usage, or a fault in the configuration`;

const REQUEST_EXIT_CODES = `
Exit codes:
  0     an answer with a status below 400
  4, 5  an answer with a status of 400 or 500 and above
  1     no answer, or none that is complete; the app cannot be loaded
  2     wrong usage, or a fault in the configuration
  130   stopped by SIGINT or SIGTERM

Examples:
  propylon request wiki.ini /
  propylon request wiki.ini '/search?q=gate' -i --param REMOTE_USER=alice
  propylon request --socket /run/wiki.sock /edit -d title=Gate -H 'Cookie: a=b'
  propylon request --host 127.0.0.1 --port 4000 --protocol scgi /`;

const DOCTOR_EXIT_CODES = `
Exit codes:
  0  no fault was found; there may be hints
  2  wrong usage, or a fault in the configuration
  4  faults were found

Examples:
  propylon doctor wiki.ini
  propylon doctor wiki.ini --url http://localhost/wiki`;

const POINTS_EXIT_CODES = `
Exit codes:
  0  listed
  1  there is no such point
  2  wrong usage

Example:
  propylon points app`;

const WEB_CONFIG_EXIT_CODES = `
Exit codes:
  0  printed
  1  failure while reading the file
  2  wrong usage, a fault in the configuration, or what this web server cannot do; the message says what to change

Examples:
  propylon web-config nginx wiki.ini --host-name wiki.example.org
  propylon web-config apache wiki.ini --prefix /james --static /james/static=/srv/wiki/public
  propylon web-config systemd wiki.ini --user wiki`;

/** The program as commander knows it; parsing its arguments runs the command, whose code is loaded then. */
export function createProgram(): Command {
  const program = new Command("propylon")
    .description("Serves a Node.js app behind a web server, over FastCGI, SCGI or AJP.")
    .version(packageVersion(), "-V, --version")
    .addHelpText("after", EXIT_CODES)
    // Wrong usage is 2, as it is of any Unix program; commander's own is 1.
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));

  program
    .command("create")
    .summary("write the package of a new app")
    .description(
      "Writes a small app as an npm package in TypeScript, with tests, documentation and a template of its configuration, " +
        "and says what to run next.",
    )
    .argument("<NAME>", "the npm package's name, such as wiki or @site/wiki")
    .argument("[DIRECTORY]", "an empty or a new directory (default: NAME without its scope)")
    .option("--description <TEXT>", "one line, for package.json and README.md", "An app for propylon")
    .option("-n, --simulate", "say what would be written, and write nothing")
    .addOption(new Option("-q, --quiet", "say nothing but errors").conflicts("verbose"))
    .option("-v, --verbose", "name each file, and show the stack of errors")
    .addHelpText("after", `${CREATE_EXIT_CODES}\n\nExample:\n  propylon create wiki`)
    .action(async (name: string, directory: string | undefined, flags: CreateFlags) => {
      await (await import("./create.ts")).create(name, directory, flags);
    });

  program
    .command("make-config")
    .summary("write the configuration of a new instance of an app")
    .description(
      "Fills the template of an installed package and writes it to FILE: with a secret and an id of its own, so that an " +
        "app is installed once and set up as often as wanted. A file that is there is not replaced unasked.",
    )
    .argument("<PACKAGE>", "an npm package, found from here; PACKAGE#NAME for another app than main")
    .argument("[FILE]", "the file to write (default: the app's name with .ini)")
    .argument("[var=value...]", "for ${var} in the template")
    .option("--name <NAME>", "the app of that name in the package (default: main)")
    .option("--info", "say what the package is, and stop")
    .option("--edit", "open the file in $VISUAL or $EDITOR afterwards")
    .option("--setup", "set the app up afterwards, as setup-app does")
    .option("-f, --force", "replace a file that has other content")
    .option("--no-interactive", "never ask; a file that is there is kept")
    .option("-n, --simulate", "say what would be written, and write nothing")
    .addOption(new Option("-q, --quiet", "say nothing but errors").conflicts("verbose"))
    .option("-v, --verbose", "show the stack of errors")
    .addHelpText(
      "after",
      `${MAKE_CONFIG_EXIT_CODES}\n\nExample:\n  npm install wiki\n  propylon make-config wiki wiki_production.ini`,
    )
    .action(async (name: string, file: string | undefined, rest: string[], flags: MakeConfigFlags) => {
      await (await import("./make-config.ts")).makeConfig(name, file === undefined ? rest : [file, ...rest], flags);
    });

  program
    .command("setup-app")
    .summary("set up what a configuration names, such as a database")
    .description(
      "Runs setupApp() of the websetup module of the app's package, with what FILE.ini configures. It may be run again.",
    )
    .argument("<FILE.ini>", "the configuration; FILE.ini#NAME sets up [app:NAME]")
    .argument("[var=value...]", "variables: %(var)s in the file, over [DEFAULT]; handed to setupApp() too")
    .option("--name <NAME>", "set up [app:NAME] (default: main)")
    .option("--no-interactive", "never ask")
    .option("-n, --simulate", "say what would be run, and run nothing")
    .addOption(new Option("-q, --quiet", "say nothing but errors").conflicts("verbose"))
    .option("-v, --verbose", "show the stack of errors")
    .addHelpText("after", `${SETUP_APP_EXIT_CODES}\n\nExample:\n  propylon setup-app wiki_production.ini`)
    .action(async (file: string, variables: string[], flags: SetupAppFlags) => {
      await (await import("./setup-app.ts")).setupApp(file, variables, flags);
    });

  program
    .command("serve")
    .summary("serve the app that a file describes")
    .description(
      "Serves [app:main] of FILE.ini by [server:main]. SIGTERM and SIGINT answer what is in hand, then stop.",
    )
    .argument("<FILE.ini>", "the configuration; FILE.ini#NAME serves [app:NAME]")
    .argument("[start|stop|restart|status]", "in the background; without it here, until a signal")
    .argument("[var=value...]", "variables: %(var)s in the file and in globalConf, over [DEFAULT]")
    .option("-n, --app-name <NAME>", "serve [app:NAME] (default: main)")
    .option("--server-name <NAME>", "serve by [server:NAME] (default: main)")
    .addOption(
      new Option(
        "-s, --server <TYPE>",
        "serve by a server of that type in place of the section: fcgi_thread, http or any other of `propylon points server`; " +
          "socket=PATH, host=ADDRESS and port=NUMBER say where it listens",
      ).conflicts("serverName"),
    )
    .option("--user <USER>", "the app runs as that user: once the socket is bound, before the app is loaded")
    .option("--group <GROUP>", "and as that group (default: the user's own)")
    .option("--check", "check the file and load the app, then exit; nothing is bound")
    .addOption(
      new Option(
        "--reload",
        "for development: start anew when the file, the app's code or its package.json changes",
      ).conflicts(["check", "daemon"]),
    )
    .addOption(new Option("--watched", "by --reload").hideHelp())
    .addOption(new Option("--ready-fd <FD>", "by start").hideHelp())
    .option("--daemon", "the same as start")
    .option("--pid-file <PATH>", "file with its process id while it serves (background: FILE.pid, or its pid_file)")
    .option("--log-file <PATH>", "what it writes in the background is appended to it (default: FILE.log)")
    .option("--timeout <SECONDS>", "stop and restart wait for so long", "60")
    .addOption(new Option("-q, --quiet", "say nothing but warnings and errors").conflicts("verbose"))
    .option("-v, --verbose", "say more, and show the stack of errors")
    .addHelpText(
      "after",
      `${EXIT_CODES}\n\nExamples:\n  propylon serve wiki.ini\n  propylon serve wiki.ini start\n  propylon serve wiki.ini --server-name dev port=8080`,
    )
    .action(async (file: string, first: string | undefined, rest: string[], flags: ServeFlags) => {
      await (await import("./serve.ts")).serve(file, first === undefined ? rest : [first, ...rest], flags);
    });

  program
    .command("status")
    .summary("show what a running server does")
    .description("Shows the workers of a running server, their requests, its counters and its slow log.")
    .argument("[FILE.ini]", "the configuration that it was started with; its code is not loaded")
    .argument("[var=value...]", "variables that it was started with")
    .option("--server-name <NAME>", "the server of [server:NAME] (default: main)")
    .option("--socket <PATH>", "ask at this Unix socket")
    .addOption(new Option("--json", "print the report as JSON").conflicts(["metrics", "watch", "quiet"]))
    .addOption(new Option("--metrics", "print OpenMetrics text").conflicts(["json", "watch", "quiet"]))
    .addOption(new Option("-q, --quiet", "say nothing: the exit code tells").conflicts("verbose"))
    .option("-v, --verbose", "show the stack of errors")
    .option("--watch [SECONDS]", "show it anew every so many seconds (2), with rates, until SIGINT")
    .addHelpText("after", STATUS_EXIT_CODES)
    .action(async (file: string | undefined, variables: string[], flags: StatusFlags) => {
      await (await import("./status.ts")).status(file, variables, flags);
    });

  program
    .command("reload")
    .summary("have a running server read its configuration anew")
    .description("Sends SIGHUP to the server that FILE.ini describes, and waits for what comes of it.")
    .argument("<FILE.ini>", "the configuration that it was started with")
    .argument("[var=value...]", "variables that it was started with")
    .option("--server-name <NAME>", "the server of [server:NAME] (default: main)")
    .option("--socket <PATH>", "its status socket, where the file has another one now")
    .option("--timeout <SECONDS>", "wait for so long", "120")
    .addOption(new Option("-q, --quiet", "say nothing but errors").conflicts("verbose"))
    .option("-v, --verbose", "show the stack of errors")
    .addHelpText("after", RELOAD_EXIT_CODES)
    .action(async (file: string, variables: string[], flags: ReloadFlags) => {
      await (await import("./reload.ts")).reload(file, variables, flags);
    });

  program
    .command("request")
    .summary("send one request to an app, or to a running server")
    .description(
      "Loads [app:main] of FILE.ini in this process, asks it for PATH and prints the body of its answer; what it writes to " +
        "its error stream goes to standard error. With --socket or --port the request goes to the FastCGI, SCGI or AJP server that " +
        "runs there, and FILE.ini only says which of the three it speaks.",
    )
    .usage("[options] [FILE.ini] <PATH> [var=value...]")
    .argument("[words...]", "FILE.ini (or FILE.ini#NAME), PATH with its query or a URL, then variables as for serve")
    .option("-X, --method <METHOD>", "default: GET, or POST with --data")
    .option("-H, --header <LINE>", "a header, `Name: value`; may be repeated", collect)
    .option("-d, --data <TEXT>", "the body; @FILE for what is in a file, @- for standard input")
    .option(
      "--param <NAME=VALUE>",
      "a variable that the web server would set, such as REMOTE_USER; may be repeated",
      collect,
    )
    .option("-i, --include", "print the head of the answer too")
    .option("-n, --app-name <NAME>", "ask [app:NAME] (default: main)")
    .option("--mount <PATH>", "the app is mounted there, and PATH begins with it")
    .option("--socket <PATH>", "ask the server at this Unix socket")
    .option("--port <NUMBER>", "ask the server at this TCP port")
    .option("--host <ADDRESS>", "of this machine (default: 127.0.0.1)")
    .addOption(
      new Option("--protocol <NAME>", "what the running server speaks (default: fastcgi)").choices([
        "fastcgi",
        "scgi",
        "ajp",
      ]),
    )
    .option("--server-name <NAME>", "[server:NAME] of FILE.ini says what the running server speaks (default: main)")
    .option("--timeout <SECONDS>", "wait for the head of the answer for so long; 0 for ever", "60")
    .addOption(new Option("-q, --quiet", "print no body: the exit code tells").conflicts("verbose"))
    .option("-v, --verbose", "show what the gateway logs, and the stack of errors")
    .addHelpText("after", REQUEST_EXIT_CODES)
    .action(async (words: string[], flags: RequestFlags) => await (await import("./request.ts")).request(words, flags));

  program
    .command("web-config")
    .summary("print the configuration of your web server, or a systemd unit")
    .description(
      "Prints the configuration of apache, lighttpd, nginx or caddy that fits FILE.ini: its protocol, its socket or port, " +
        "where the app is, its static files; or the systemd unit that serves FILE.ini. The comments in it say where it " +
        "goes and what each line is for. Nothing is written or started, and the app's code is not loaded.",
    )
    .argument("<SERVER>", "apache, lighttpd, nginx, caddy or systemd")
    .argument("<FILE.ini>", "the configuration; FILE.ini#NAME for [app:NAME]")
    .argument("[var=value...]", "variables, as for serve")
    .option("--host-name <NAME>", "answer for that host alone, such as wiki.example.org")
    .option("--listen <[HOST:]PORT>", "listen there (default: port 80, as the web server does already)")
    .option(
      "--prefix <PATH>",
      "the app is at that path (default: mount or the prefix filter of FILE.ini, else the root)",
    )
    .option(
      "--static <URL=DIRECTORY>",
      "the web server answers URL with files of DIRECTORY; may be repeated (those of [app] static are found)",
      collect,
    )
    .option("--socket <PATH>", "the Unix socket of a server that is handed it, as by a systemd socket unit")
    .option("--root <DIRECTORY>", "what else the web server has, outside of the app (default: /var/www/html)")
    .option("--user <USER>", "systemd: the app runs as that user (default: user of FILE.ini, else www-data)")
    .option("--group <GROUP>", "systemd: and as that group")
    .option("-n, --app-name <NAME>", "[app:NAME] (default: main)")
    .option("--server-name <NAME>", "[server:NAME] (default: main)")
    .option("-v, --verbose", "show the stack of errors")
    .addHelpText("after", WEB_CONFIG_EXIT_CODES)
    .action(async (kind: string, file: string, variables: string[], flags: WebConfigFlags) => {
      await (await import("./web-config.ts")).webConfig(kind, file, variables, flags);
    });

  program
    .command("doctor")
    .summary("find out why a server does not answer as it should")
    .description(
      "Checks everything from the socket to the app that FILE.ini describes, and with --url the way through the web server, " +
        "and says of each fault what was seen and what to do. It changes nothing and sends GET and HEAD only; the app's code " +
        "is not loaded. Run it as root, or as the server's user, for it to see all.",
    )
    .argument("<FILE.ini>", "the configuration that the server was started with")
    .argument("[var=value...]", "variables that it was started with")
    .option("--url <URL>", "the app's root as a browser calls it: the web server is checked too")
    .option("-n, --app-name <NAME>", "the app of [app:NAME] (default: main)")
    .option("--server-name <NAME>", "the server of [server:NAME] (default: main)")
    .option(
      "--front-user <USER>",
      "the web server's user (default: that of web servers that run here, or the usual ones)",
    )
    .option("--front-host <ADDRESS>", "the web server's IP address, where that is another machine")
    .option("--upload <BYTES>", "send so many bytes through the web server too, which the app does not get")
    .option("--timeout <SECONDS>", "stop after so long", "60")
    .addOption(new Option("--json", "print the findings as JSON").conflicts("quiet"))
    .addOption(new Option("-q, --quiet", "say nothing: the exit code tells").conflicts("verbose"))
    .option("-v, --verbose", "show the stack of errors")
    .addHelpText("after", DOCTOR_EXIT_CODES)
    .action(async (file: string, variables: string[], flags: DoctorFlags) => {
      await (await import("./doctor.ts")).doctor(file, variables, flags);
    });

  program
    .command("points")
    .summary("list what installed packages offer to configurations")
    .description(
      "Lists the entry points that `use = egg:PACKAGE#NAME` finds from here: those in the propylon field of each installed " +
        "package's package.json, and those that come with propylon.",
    )
    .argument("[GROUP]", "app, composite, filter, filterApp, server, serverRunner or install (default: all)")
    .option("--json", "as JSON: a list of { group, use, target }")
    .addOption(
      new Option("-q, --quiet", "list nothing: the exit code tells whether there is a point").conflicts("verbose"),
    )
    .option("-v, --verbose", "name the directory of each package, and show the stack of errors")
    .addHelpText("after", POINTS_EXIT_CODES)
    .action(async (group: string | undefined, flags: PointsFlags) =>
      (await import("./points.ts")).points(group, flags),
    );
  return program;
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}
