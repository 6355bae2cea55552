import { defineConfig } from "vitest/config";

/** Whole servers with their workers: these tests load the machine, and measure time. */
const WORKERS = ["test/e2e/workers-{reload,faults}.test.ts", "test/e2e/{several-hosts,status}.test.ts"] as const;

/** Most of their time is waiting: for what happens after half a minute, for time limits, for what must not happen. */
const WAITING = ["test/e2e/{after-response,workers-endurance,log,slow-log,systemd}.test.ts"] as const;

/** Whole lives of apps by way of the command line, with npm: they start many processes one after the other. */
const COMMANDS = [
  "test/e2e/{background,browser,create,doctor,examples,install,package,pid-file,privileges,reload-dev,request,site,web-config}.test.ts",
] as const;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "core",
          include: ["test/unit/**/*.test.ts", "test/properties/**/*.test.ts", "test/interop/**/*.test.ts"],
          testTimeout: 20_000,
          // Modules are loaded once and not for each file: half of the time. Tests leave nothing behind.
          isolate: false,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          exclude: [...WORKERS, ...WAITING, ...COMMANDS],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "commands",
          include: [...COMMANDS],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "waiting",
          include: [...WAITING],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "workers",
          include: [...WORKERS],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          maxConcurrency: 4,
        },
      },
    ],
  },
});
