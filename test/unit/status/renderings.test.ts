import { describe, expect, it } from "vitest";

import { openMetricsOf } from "../../../src/status/openmetrics.ts";
import { PAGE_POLICY, pageOf } from "../../../src/status/page.ts";
import { isReady } from "../../../src/status/ready.ts";
import { textOf } from "../../../src/status/text.ts";
import { duration, foreign, size } from "../../../src/status/words.ts";
import { readOpenMetrics } from "../../support/openmetrics.ts";
import { ATTACK, NOW, emptyReport, usualReport, usualWorker, worstReport } from "../../support/status-reports.ts";

const ALL = [
  ["a usual report", usualReport()],
  ["the worst report", worstReport()],
  ["a report without workers", emptyReport()],
] as const;

describe("words", () => {
  it("says times in at most two units", () => {
    expect([-5, 0, 999, 4200, 59_999, 60_000, 200_000, 3_600_000, 190_800_000].map(duration)).toEqual([
      ...["0 ms", "0 ms", "999 ms", "4.2 s", "59 s", "1 min", "3 min 20 s", "1 h", "2 d 5 h"],
    ]);
  });

  it("says sizes in powers of 1024", () => {
    expect([0, 1023, 1536, 150 * 2 ** 20, 2 ** 60].map(size)).toEqual([
      ...["0 B", "1023 B", "1.5 KiB", "150 MiB", "1048576 TiB"],
    ]);
  });

  it("shows what cannot be seen, and cuts what is too long", () => {
    expect(foreign("a\x1b[2J\n\x7f\x9b\u202eb\u2028\ud800é", 100)).toBe(
      "a\\x1b[2J\\x0a\\x7f\\x9b\\u202eb\\u2028\\ud800é",
    );
    expect(foreign("abcdef", 3)).toBe("abc…");
  });
});

describe("ready", () => {
  const ready = usualWorker();
  it.each([
    ["a worker is ready", usualReport(), true],
    ["it reloads meanwhile", usualReport({ state: "reloading" }), true],
    ["it starts", usualReport({ state: "starting" }), false],
    ["it stops", usualReport({ state: "stopping" }), false],
    ["no worker answers", usualReport({ workers: [{ ...ready, suspect: true }] }), false],
    ["all workers start or drain", usualReport({ workers: [{ ...ready, state: "starting" }] }), false],
    ["there are no workers", usualReport({ workers: [] }), false],
    [
      "there are none since none is needed yet",
      usualReport({ workers: [], limits: { pool_manager: "ondemand" } }),
      true,
    ],
  ])("when %s: %#", (_title, report, expected) => expect(isReady(report)).toBe(expected));
});

describe("the text", () => {
  it("shows head, totals, workers, counters that are not 0 and the slow log", () => {
    expect(textOf(usualReport())).toBe(`FastCGI on /run/app.sock: running

server       propylon 0.1.0 on node 20.19.0, thread mode, pid 4000
generation   2, up 1 d 2 h
file         /etc/app.ini
reloads      3, 1 failed; the last 1 min ago took 320 ms
workers      2 (2 ready)
requests     3 in flight on 7 connections
upgraded     2 connections
queue        2 of 1024, the first for 120 ms
gateway      pid 4001, 90.0 MiB, loop 25 %, delay 3 ms

ID   PID  GEN  STATE  AGE  IN FLIGHT  SERVED    MEMORY  LOOP  DELAY  OLDEST REQUEST
 1  4001    2  ready  1 h          0    4983  20.5 MiB  35 %  12 ms
 2  4001    2  ready  1 h          3      17  20.5 MiB  35 %  12 ms  4.2 s POST /old?x=1 (and 2 more)

COUNTERS
requests     5000
accepted       40
workersDied     1

SLOW LOG
2026-01-31T11:59:00.000Z GET /slow 5.2 s
    at work (file:///srv/app.js:1:2)
`);
  });

  it("shows rates between two reports, of new workers too", () => {
    const earlier = usualReport({
      now: NOW - 2000,
      counters: { requests: 4900 },
      workers: [usualWorker({ served: 4883 })],
    });
    const text = textOf(usualReport(), { earlier });
    expect(text).toMatch(/^rate +50\.0 requests\/s$/m);
    expect(text).toMatch(/^ID .* SERVED {2}REQ\/S /m);
    expect(text).toMatch(/^ 1 .* 4983 +50\.0 /m);
    expect(text).toMatch(/^ 2 .* 17 +8\.5 /m);
    expect(text).toMatch(/^requests +5000 +50\.0\/s$/m);
  });

  it("shows no rates against another server, or at once", () => {
    const plain = textOf(usualReport());
    expect(textOf(usualReport(), { earlier: usualReport({ startedAt: 1, now: NOW - 1000 }) })).toBe(plain);
    expect(textOf(usualReport(), { earlier: usualReport() })).toBe(plain);
  });

  it("says what somebody should look at", () => {
    const text = textOf(worstReport());
    expect(text).toContain("reloads    ! 9, 9 failed");
    expect(text).toContain("back-off   ! 12 failures to start a worker, next try in 30 s: ");
    expect(text).toContain("zombies    ! 4 threads in a call that does not end");
    expect(text).toContain("workers    ! 3 (1 killed, 1 draining, 1 starting, 1 not answering)");
    expect(text).toContain("killed, stuck?");
  });

  it.each(ALL)("of %s holds no control character and no mark that turns it round", (_title, report) => {
    for (const line of textOf(report).split("\n")) expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  });

  it("cuts lines to the terminal's width", () => {
    const lines = textOf(worstReport(), { width: 40 }).split("\n");
    expect(Math.max(...lines.map(({ length }) => length))).toBe(40);
  });
});

describe("the page", () => {
  it.each(ALL)("of %s has no markup but its own", (_title, report) => {
    const page = pageOf(report);
    const tags = new Set([...page.matchAll(/<\/?([a-z0-9]+)/gi)].map(([, name]) => name));
    const own = [
      "html",
      "head",
      "meta",
      "title",
      "style",
      "body",
      "header",
      "h1",
      "h2",
      "span",
      "dl",
      "dt",
      "dd",
      "div",
    ];
    const known = new Set([...own, "table", "thead", "tbody", "tr", "th", "td", "pre", "p", "footer", "a"]);
    expect([...tags].filter((name) => !known.has(name ?? ""))).toEqual([]);
    expect(page).not.toMatch(/(?:\son\w+=|javascript:|https?:\/\/)/i);
    expect(page.replace(/\n/g, "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
  });

  it("shows what was asked for, as text", () => {
    const page = pageOf(usualReport({ workers: [usualWorker({ inFlight: 1, requests: [asked(ATTACK)] })] }));
    expect(page).toContain("/&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\\x1b]0;owned\\x07");
  });

  it("allows nothing but its own style sheet", async () => {
    const [, style = ""] = /<style>([^]*)<\/style>/.exec(pageOf(usualReport())) ?? [];
    const hash = await crypto.subtle.digest("SHA-256", Buffer.from(style));
    expect(PAGE_POLICY).toContain(`style-src 'sha256-${Buffer.from(hash).toString("base64")}'`);
    expect(PAGE_POLICY).toContain("default-src 'none'");
    expect(PAGE_POLICY).not.toContain("unsafe");
  });
});

describe("OpenMetrics", () => {
  it.each(ALL)("of %s is read by a strict reader", (_title, report) => {
    expect(readOpenMetrics(openMetricsOf(report)).size).toBeGreaterThan(10);
  });

  it("says each thing in its unit, with worker and reason as labels", () => {
    const families = readOpenMetrics(openMetricsOf(usualReport()));
    const value = (family: string, labels: Record<string, string> = {}): number | undefined =>
      families
        .get(`propylon_${family}`)
        ?.samples.find((sample) => Object.entries(labels).every(([name, text]) => sample.labels[name] === text))?.value;
    expect(value("start_time_seconds")).toBe((NOW - 93_600_000) / 1000);
    expect(value("requests")).toBe(5000);
    expect(value("events", { reason: "workers_died" })).toBe(1);
    expect(value("events", { reason: "body_timeouts" })).toBe(0);
    expect(value("reloads", { result: "succeeded" })).toBe(2);
    expect(value("queue_oldest_seconds")).toBe(0.12);
    expect(value("workers", { state: "ready" })).toBe(2);
    expect(value("worker_served_requests", { worker: "2" })).toBe(17);
    expect(value("worker_oldest_request_seconds", { worker: "2" })).toBe(4.2);
    expect(value("worker_memory_bytes", { worker: "1", kind: "heap_used" })).toBe(20 * 2 ** 20);
    expect(value("process_loop_utilization_ratio", { process: "1" })).toBe(0.25);
    expect(value("state", { propylon_state: "running" })).toBe(1);
    expect(families.get("propylon_requests")?.samples[0]?.name).toBe("propylon_requests_total");
  });

  it("makes no series twice while one gateway process replaces another", () => {
    const [process] = usualReport().processes;
    const report = usualReport({
      workers: [usualWorker(), usualWorker({ pid: 4002 })],
      processes: [process!, { ...process!, id: 2, pid: 4002 }],
    });
    const series = openMetricsOf(report)
      .split("\n")
      .filter((line) => !line.startsWith("#") && line !== "")
      .map((line) => line.replace(/ \S+$/, ""));
    expect(series.filter((each, at) => series.indexOf(each) !== at)).toEqual([]);
    expect(series).toContain('propylon_worker_suspect{worker="1",process="2"}');
  });

  it("escapes the values of labels so that they come out as they went in", () => {
    const families = readOpenMetrics(openMetricsOf(usualReport({ where: 'a"b\\c\nd\\n' })));
    expect(families.get("propylon_server")?.samples[0]?.labels["where"]).toBe('a"b\\c\nd\\n');
  });

  it("makes no time series of what was asked for", () => {
    expect(
      openMetricsOf(worstReport())
        .split("\n")
        .filter((line) => line.includes("alert")),
    ).toHaveLength(1);
  });
});

function asked(url: string): ReturnType<typeof usualWorker>["requests"][number] {
  return { id: "r", method: "GET", url, since: NOW - 10, worker: 1 };
}
