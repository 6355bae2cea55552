/** An app that goes wrong on demand: what it does is in the path, how much of it in the query. */
import { execSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { threadId } from "node:worker_threads";

const BEGUN = Date.now();

/**
 * PasteDeploy's app factory; `version` of the section is shown, `fail` makes it fail to load, `fail_after` so many
 * milliseconds later, `root` is the path that / stands for.
 */
export function makeApp(globalConf, { version = "0", fail, fail_after: failAfter, slow = "0", root = "/" }) {
  if (fail !== undefined) throw new Error(`told to fail: ${fail}`);
  if (failAfter !== undefined) {
    setTimeout(() => {
      throw new Error("told to fail later");
    }, Number(failAfter));
  }
  return sleep(Number(slow)).then(() => async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://app");
    const amount = Number(searchParams.get("n") ?? 0);
    const say = (text) => response.end(`${text}\n`);
    switch (pathname === "/" ? root : pathname) {
      case "/who":
        return say(JSON.stringify({ pid: process.pid, thread: threadId, version, begun: BEGUN }));
      case "/throw":
        throw new Error("thrown by the app");
      case "/throw-later":
        setTimeout(() => {
          throw new Error("thrown in a timer");
        });
        return;
      case "/throw-strange":
        setTimeout(() => {
          throw searchParams.has("stack")
            ? Object.defineProperty(new Error("it has no stack to show"), "stack", {
                get() {
                  throw new Error("thrown by a getter");
                },
              })
            : Object.create(null);
        });
        return;
      case "/throw-in-body":
        response.write("the beginning");
        await sleep(20);
        throw new Error("thrown after the head");
      case "/babble":
        for (const message of [null, 7, { type: "report" }, { type: "failed" }, { type: "slow", entry: 42 }]) {
          process.send(message);
        }
        process.send({ type: "report", report: { inFlight: 0 } });
        return say("babbled");
      case "/throw-after-answer":
        say("answered");
        throw new Error("thrown after the answer");
      case "/leave-body":
        request.once("readable", () => say("left"));
        return;
      case "/reject-later":
        void Promise.reject(new Error("a rejection that nobody handles"));
        return;
      case "/exit":
        return process.exit(3);
      case "/loop":
        return loopForEver(amount || Number.POSITIVE_INFINITY);
      case "/heap":
        return fillHeap();
      case "/exec-sleep":
        execSync(`sleep ${amount / 1000}`);
        return say("slept");
      case "/stop":
        process.kill(process.pid, "SIGSTOP");
        return say("stopped and continued");
      case "/home":
        return say([process.env.HOME, process.env.USER, process.env.LOGNAME].join(" "));
      case "/chdir":
        process.chdir("/");
        return say(process.cwd());
      case "/kill":
        return process.kill(process.pid, "SIGKILL");
      case "/silence":
        return;
      case "/wait":
        await sleep(amount);
        return say(`${process.pid} ${threadId}`);
      case "/work":
        loopForEver(amount);
        return say("worked");
      case "/upload": {
        let bytes = 0;
        for await (const chunk of request) bytes += chunk.length;
        return say(bytes);
      }
      case "/download": {
        const chunk = Buffer.alloc(64 * 1024, "d");
        for (let left = amount; left > 0; left -= chunk.length) {
          if (response.destroyed) return;
          const more = response.write(left < chunk.length ? chunk.subarray(0, left) : chunk);
          if (!more) await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
        }
        return response.end();
      }
      case "/remote-user":
        return say(request.cgi?.REMOTE_USER ?? "nobody");
      default:
        return say(`hello ${request.method} ${request.url}`);
    }
  });
}

/** Named, so that it is seen in a stack. */
function loopForEver(milliseconds) {
  const end = Date.now() + milliseconds;
  while (Date.now() < end);
}

function fillHeap() {
  const kept = [];
  for (;;) kept.push(Array.from({ length: 10_000 }, (_, i) => ({ i })));
}
