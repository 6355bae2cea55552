/** One exchange as the gateway sees it: the rules of body, answer and timeouts that all protocols share. */
import { announcedLength } from "../../cgi/body-framing.ts";
import { errorAnswer } from "../../cgi/error-page.ts";
import { isInterim } from "../../cgi/response-head.ts";
import { mayUpgrade, SWITCHING_PROTOCOLS, UPGRADE_REFUSED } from "../../cgi/upgrade.ts";
import { requestLine, variable } from "../../cgi/variables.ts";
import type { AbortCode, RequestError } from "../../errors.ts";
import type {
  FailStatus,
  Params,
  ProtocolName,
  RequestEvent,
  RequestHead,
  RequestSink,
  ResponseEvent,
  ResponseSink,
  Role,
} from "../../exchange.ts";
import type { RequestReport } from "../../report.ts";
import { countAbort, countFailure } from "../counters.ts";
import { NEVER } from "../deadlines.ts";
import type { Creditor, Wire } from "./binding.ts";
import { Tally } from "./tally.ts";

/** The length of a body that nobody has told. */
const UNKNOWN_LENGTH = -1;
const STDERR_CUT = Buffer.from(" [cut]\n");
const RETRY_SOON = [["Retry-After", "1"]] as const;

export abstract class ExchangeLine implements ResponseSink, Creditor {
  protected readonly wire: Wire;
  protected params: Params | null = null;
  #id = "";
  /** When it was dispatched, by `steadyNow`, a tick early at most. */
  #begun = 0;
  /** The request was read to its end. */
  inputDone = false;
  /** The answer is complete, or nothing more is taken for it. */
  answered = false;
  protected appStatus = 0;
  /** It is refused for want of room, and only for that. */
  protected overloaded = false;
  /** Nothing happens any more but credit for bytes on their way. */
  protected over = false;
  /** While the head is read its deadline, then that of the next body byte, after the answer that of the drain. */
  protected inputDeadline: number = NEVER;
  nextOwed: Creditor | null = null;

  #sink: RequestSink | null = null;
  #length = UNKNOWN_LENGTH;
  #received = 0;
  /** Bytes beyond the announced length. */
  #extra = 0;
  /** The app was told that the body is complete. */
  #bodyEnded = false;
  #openStreams = 1;
  /** Body bytes that the app has not credited. */
  #unread = 0;
  /** `#unread` has reached its window and the connection is held. */
  #full = false;
  #mayStall = false;
  #stallDeadline = NEVER;
  #headSent = false;
  #headDeadline = NEVER;
  /** The request asks for an upgrade that the web server carries. */
  #mayUpgrade = false;
  /** The gateway has answered in place of the app's 101. */
  #upgradeRefused = false;
  /** "open": a 101 was answered, the bodies are a tunnel. "ending": the app has read the end of what comes. */
  #tunnel: "none" | "open" | "ending" | "over" = "none";
  #idleDeadline = NEVER;
  /** Bytes of the answer's body that are not with the socket yet, and those that are but have not left. */
  #made = 0;
  #underway = 0;
  #stderrBytes = 0;
  /** Ticks spent waiting for the body, for `minBodyRate`. */
  #waited = 0;
  /** Until its record is written; null without an access log. */
  #tally: Tally | null;

  constructor(wire: Wire) {
    this.wire = wire;
    this.#tally = wire.setting.accessLog === null ? null : new Tally();
  }

  protected abstract writeHead(block: string): void;
  protected abstract writeBody(chunk: Uint8Array): void;
  protected abstract writeError(chunk: Uint8Array): void;
  /** Answer and request are both over, or the request's rest is waited for no longer (`inputDone` tells). */
  protected abstract writeEnd(): void;
  /** The answer ends before its time and must not look complete. */
  protected abstract breakOff(): void;

  /** Whatever the web server sends from now on is a tunnel's. False: it cannot. */
  protected startTunnel(): boolean {
    return false;
  }

  /** What is still missing of the request of a complete answer will come: without it the web server does not hear the end. */
  protected get restComes(): boolean {
    return true;
  }

  /** What an app hears whose request is not read to its end after the answer. */
  protected readonly restCode: AbortCode = "BODY_TIMEOUT";

  /** Body bytes that the app has not taken. */
  protected get unread(): number {
    return this.#unread;
  }

  /** All variables are there: hands the request to an app. */
  protected dispatch(protocol: ProtocolName, role: Role, params: Params, multiplexed: boolean): void {
    const { setting } = this.wire;
    const { options, counters, clock } = setting;
    this.params = params;
    this.#mayStall = multiplexed;
    this.inputDeadline = NEVER;
    counters.requests++;
    this.#openStreams = role === "responder" ? 1 : role === "filter" ? 2 : 0;
    const refusal = this.#refusalOf(params);
    if (refusal !== null) {
      this.overloaded = refusal === 503;
      this.refuse(refusal, refusal === 503 ? RETRY_SOON : []);
    } else {
      this.#id = setting.requestIds.next();
      this.#begun = clock.tickedAt;
      const head: RequestHead = { id: this.#id, protocol, role, params, multiplexed };
      const tunnels = options.upgrade && role === "responder" && !multiplexed && this.#length <= 0;
      if (tunnels && mayUpgrade(protocol, params)) return this.#beginUpgrade(head);
      this.#handOver(head);
    }
    if (this.#openStreams === 0) this.#inputEnded();
    else if (!this.answered) {
      if (this.#length === 0) this.#endBody();
      this.#awaitHead();
    }
  }

  /** Such a request has no body, whether that is said or not. What comes right behind it may tell that no more can come. */
  #beginUpgrade(head: RequestHead): void {
    this.#mayUpgrade = true;
    this.#length = 0;
    process.nextTick(() => {
      if (this.over || this.answered) return;
      this.#handOver({ ...head, tunnel: true });
      this.#bodyEnded = true;
      if (this.#upgradeRefused) this.#abandonApp("UPGRADE_REFUSED");
      else this.#tell({ type: "bodyEnd" });
      if (!this.answered) this.#awaitHead();
    });
  }

  #handOver(head: RequestHead): void {
    const { dispatcher, log } = this.wire.setting;
    try {
      this.#sink = dispatcher.dispatch(head, this);
    } catch (error) {
      log.error(`dispatching a request failed: ${String(error)}`);
      if (!this.answered) this.#fail(500);
    }
  }

  #awaitHead(): void {
    const { clock, options } = this.wire.setting;
    this.inputDeadline = clock.in(options.bodyTimeout);
    this.#headDeadline = this.#headSent ? NEVER : clock.in(options.requestTimeout);
  }

  /** The status of a request that no app gets to see, else null. An authorizer hears of a body that it does not get. */
  #refusalOf(params: Params): number | null {
    const { options, log, draining } = this.wire.setting;
    // Where requests share a connection that is to end, there may be no last one.
    if (this.wire.overloaded || (draining && this.#mayStall)) return 503;
    if (this.#openStreams === 0) return null;
    try {
      this.#length = announcedLength(params) ?? UNKNOWN_LENGTH;
    } catch (error) {
      log.info(`refused a request: ${(error as RequestError).message}`);
      return (error as RequestError).status;
    }
    return options.maxBodyBytes > 0 && this.#length > options.maxBodyBytes ? 413 : null;
  }

  /** For the status; null before an app has it, and once its answer is complete or it is upgraded. */
  get report(): RequestReport | null {
    const { params } = this;
    if (params === null || this.#id === "" || this.answered || this.#tunnel !== "none") return null;
    return {
      id: this.#id,
      ...requestLine(params),
      since: this.#begun,
      worker: this.#sink?.service?.worker ?? null,
    };
  }

  // From the web server.

  /**
   * Takes bytes of the body (or of the filter's file, which CONTENT_LENGTH does not count). An app may go on reading
   * after its answer, as in node http; the web server has to send the rest in any case before it hears of the end.
   */
  receive(type: "body" | "data", content: Uint8Array): void {
    const { options, counters } = this.wire.setting;
    if (this.#tunnel !== "none") return this.#receiveUpgraded(content);
    let chunk = content;
    if (type === "body") {
      const length = this.#length;
      const room = this.#bodyEnded ? 0 : length === UNKNOWN_LENGTH ? chunk.length : length - this.#received;
      if (chunk.length > room) {
        const beyond = chunk.length - room;
        counters.extraBytes += beyond;
        this.#extra += beyond;
        chunk = chunk.subarray(0, room);
        if (this.answered && this.#extra > options.drainAfterResponseBytes) return this.complete();
      }
      this.#received += chunk.length;
      if (chunk.length === 0) return;
      if (options.maxBodyBytes > 0 && this.#received > options.maxBodyBytes) this.abort("BODY_LIMIT", 413);
    }
    this.inputDeadline = this.#inputTimeout();
    this.#deliver(type, chunk);
  }

  #deliver(type: "body" | "data", chunk: Uint8Array): void {
    const { options } = this.wire.setting;
    if (this.#sink === null) return;
    this.#unread += chunk.length;
    this.#tell({ type, chunk });
    if (this.#unread >= options.bodyHighWater && !this.#full && !this.over) {
      this.#full = true;
      if (this.#mayStall) this.#stallDeadline = this.wire.setting.clock.in(options.muxStall);
      this.wire.hold();
    }
  }

  /** The body (or the filter's file) is at its end. */
  endStream(type: "body" | "data"): void {
    if (this.inputDone) return;
    if (this.#tunnel !== "none") return void this.endTunnel();
    if (--this.#openStreams <= 0) this.inputDone = true;
    if (type === "data") this.#tell({ type: "dataEnd" });
    else if (!this.#bodyEnded) {
      if (this.#received < this.#length) this.abort("BODY_INCOMPLETE", 400);
      else this.#endBody();
    }
    if (this.inputDone) this.#inputEnded();
  }

  /** The web server sends nothing more through the tunnel. False without one. */
  endTunnel(): boolean {
    if (this.#tunnel === "none" || this.#tunnel === "over") return false;
    this.inputDone = true;
    this.#endUpgraded();
    return true;
  }

  /** Ends the exchange before its time: `status` is answered if no head has left, else the answer is broken off. */
  abort(code: AbortCode, status: number): void {
    if (this.over) return;
    this.#abandonApp(code);
    if (this.answered) return;
    if (this.#headSent) this.#breakOff();
    else this.refuse(status, status === 503 ? RETRY_SOON : []);
  }

  /** Answers in the gateway's own name. */
  refuse(status: number, headers: readonly (readonly [string, string])[] = [], detail = ""): void {
    const { block, body } = errorAnswer(status, headers, detail);
    this.wire.setting.counters.refusedRequests++;
    this.#headSent = true;
    this.writeHead(block);
    const headOnly = this.params !== null && variable(this.params, "REQUEST_METHOD") === "HEAD";
    if (this.#tally !== null) {
      this.#tally.status = status;
      this.#tally.bytes = headOnly ? 0 : body.length;
    }
    if (!headOnly) this.writeBody(Buffer.from(body, "latin1"));
    this.#endAnswer();
  }

  sweep(now: number): void {
    const { options, clock } = this.wire.setting;
    if (this.#tunnel !== "none" && !this.answered) return this.#sweepTunnel(now);
    if (this.answered) {
      if (now < this.inputDeadline) return;
      if (!this.#full) return this.complete();
      // The app has stopped to read what it was sent: the web server's end of it is read all the same.
      this.#abandonApp("BODY_TIMEOUT");
      this.inputDeadline = this.#inputTimeout();
      return;
    }
    if (!this.inputDone && !this.#bodyEnded) {
      const waiting = this.#unread === 0 && !this.wire.paused;
      if (!waiting) this.inputDeadline = clock.in(options.bodyTimeout);
      else if (now >= this.inputDeadline) return this.abort("BODY_TIMEOUT", 408);
      if (waiting && options.minBodyRate > 0) {
        const due = options.bodyTimeout + (1000 * this.#received) / options.minBodyRate;
        if (++this.#waited * clock.tick > due) return this.abort("BODY_TIMEOUT", 408);
      }
    }
    if (now >= this.#headDeadline) this.abort("REQUEST_TIMEOUT", 504);
    else if (now >= this.#stallDeadline) this.abort("MUX_STALLED", 503);
  }

  abandon(code: AbortCode): void {
    const unsent = this.#made + this.#underway;
    if (this.over && unsent === 0) return;
    const whole = this.answered && unsent === 0;
    this.over = true;
    this.answered = true;
    this.#closeTunnel();
    this.#abandonApp(code);
    this.#tally?.abandoned(code);
    this.#record(!whole);
  }

  // From the app.

  send(event: ResponseEvent): void {
    if (this.answered) {
      if (event.type === "credit") this.#credit(event.bytes);
      return;
    }
    switch (event.type) {
      case "head":
        if (this.#headSent || (event.status === SWITCHING_PROTOCOLS && !this.#openTunnel())) return;
        if (isInterim(event.status)) {
          this.writeHead(event.block);
          break;
        }
        this.#headSent = true;
        this.#headDeadline = NEVER;
        if (this.#tally !== null) this.#tally.status = event.status;
        this.writeHead(event.block);
        break;
      case "body":
        if (!this.#headSent || event.chunk.length === 0) return;
        if (this.#made + this.#underway === 0) this.wire.owe(this);
        this.#made += event.chunk.length;
        if (this.#tunnel !== "none") this.#idleDeadline = this.#idleTimeout();
        if (this.#tally !== null) this.#tally.bytes += event.chunk.length;
        this.writeBody(event.chunk);
        break;
      case "stderr":
        this.#stderr(event.chunk);
        break;
      case "credit":
        this.#credit(event.bytes);
        return;
      case "end":
        if (!this.#headSent) return this.#fail(500);
        this.appStatus = event.appStatus;
        this.#endAnswer();
        break;
      case "fail":
        countFailure(this.wire.setting.counters, event.status);
        return this.#fail(event.status);
    }
    this.wire.touch();
  }

  // From the connection: what has become of the answer's bytes.

  handedOver(): void {
    this.#underway += this.#made;
    this.#made = 0;
  }

  left(all: boolean): boolean {
    if (all) this.handedOver();
    const bytes = this.#underway;
    this.#underway = 0;
    const more = this.#made > 0;
    if (bytes > 0) this.#tell({ type: "credit", bytes });
    if (this.over && !more) this.#close();
    return more;
  }

  /** Writes the end of an answered exchange, be its request read to the end or not. */
  protected complete(): void {
    if (this.over) return;
    this.over = true;
    // What the app has not read of it is with the app already.
    this.#letGo();
    this.#closeTunnel();
    this.writeEnd();
    if (this.#made + this.#underway === 0) this.#close();
  }

  /** The last byte of the answer has left: only now may an app hear that the rest of its request will not come. */
  #close(): void {
    if (!this.#bodyEnded) this.#abandonApp(this.restCode);
    this.#record(false);
  }

  /** The exchange is over and its last byte has left, or never will. */
  #record(aborted: boolean): void {
    const tally = this.#tally;
    // Without params and an answer it never was a request.
    if (tally === null || (this.params === null && !this.#headSent)) return;
    this.#tally = null;
    tally.service ??= this.#sink?.service ?? null;
    this.wire.setting.accessLog?.(tally.record(this.#id, this.params, this.#made + this.#underway, aborted));
  }

  /** The app has answered 101. False where that cannot be, and has been answered otherwise. */
  #openTunnel(): boolean {
    const { options, counters, log } = this.wire.setting;
    const tooMany = counters.upgrades - counters.upgradesEnded >= options.maxUpgrades;
    if (this.#mayUpgrade && !tooMany && this.#extra === 0 && this.startTunnel()) {
      counters.upgrades++;
      this.#tunnel = "open";
      this.inputDone = false;
      this.inputDeadline = NEVER;
      this.#idleDeadline = this.#idleTimeout();
      return true;
    }
    log.error(
      tooMany
        ? `answered 503: there are ${options.maxUpgrades} upgraded connections (max_upgrades)`
        : `answered ${this.#mayUpgrade ? 501 : 500}: the app has answered 101 on a connection that cannot be upgraded`,
    );
    this.#upgradeRefused = true;
    this.#abandonApp("UPGRADE_REFUSED");
    if (!this.#mayUpgrade) this.refuse(500);
    else if (tooMany) this.refuse(503, RETRY_SOON);
    else this.refuse(501, [], UPGRADE_REFUSED);
    return false;
  }

  #receiveUpgraded(chunk: Uint8Array): void {
    this.#idleDeadline = this.#idleTimeout();
    if (this.#tunnel === "open") this.#deliver("body", chunk);
  }

  /** A gateway that closes or is replaced ends what comes at once; what the app still says has `gracefulTimeout`. */
  #sweepTunnel(now: number): void {
    const { draining, retiring } = this.wire.setting;
    if (draining || retiring) this.#endUpgraded();
    if (now < this.#idleDeadline) return;
    this.#abandonApp("UPGRADE_IDLE");
    this.#endAnswer();
  }

  /** The app reads the end of what comes. */
  #endUpgraded(): void {
    if (this.#tunnel !== "open") return;
    this.#tunnel = "ending";
    this.#tell({ type: "bodyEnd" });
  }

  #idleTimeout(): number {
    const { clock, options } = this.wire.setting;
    return clock.in(options.upgradeIdleTimeout);
  }

  #closeTunnel(): void {
    if (this.#tunnel === "none" || this.#tunnel === "over") return;
    this.#tunnel = "over";
    this.wire.setting.counters.upgradesEnded++;
  }

  #endBody(): void {
    this.#bodyEnded = true;
    this.#tell({ type: "bodyEnd" });
  }

  #inputEnded(): void {
    this.inputDone = true;
    this.inputDeadline = NEVER;
    if (!this.#bodyEnded) this.#endBody();
    if (this.answered) this.complete();
  }

  /** The deadline of the next byte of the body. */
  #inputTimeout(): number {
    const { options, clock } = this.wire.setting;
    return clock.in(this.answered ? options.drainAfterResponseTime : options.bodyTimeout);
  }

  #endAnswer(): void {
    this.answered = true;
    this.#headDeadline = NEVER;
    if (this.inputDone || !this.restComes || this.#tunnel !== "none") this.complete();
    else this.inputDeadline = this.#inputTimeout();
    this.wire.touch();
  }

  #fail(status: FailStatus): void {
    if (this.#headSent) return this.#breakOff();
    this.overloaded = status === 503;
    this.refuse(status, status === 503 ? RETRY_SOON : []);
  }

  #breakOff(): void {
    this.answered = true;
    this.over = true;
    this.#letGo();
    this.#closeTunnel();
    this.wire.setting.counters.brokenAnswers++;
    this.#record(true);
    this.breakOff();
  }

  /** The app took so many body bytes; reading goes on once half of the window is free. */
  #credit(bytes: number): void {
    this.#unread = Math.max(0, this.#unread - bytes);
    if (this.#full && this.#unread <= this.wire.setting.options.bodyHighWater / 2) {
      this.inputDeadline = this.#inputTimeout();
      this.#letGo();
    }
  }

  #letGo(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#stallDeadline = NEVER;
    this.wire.release();
  }

  #stderr(chunk: Uint8Array): void {
    const room = this.wire.setting.options.stderrLimit - this.#stderrBytes;
    this.#stderrBytes += chunk.length;
    if (room >= chunk.length) this.writeError(chunk);
    else if (room >= 0) {
      if (room > 0) this.writeError(chunk.subarray(0, room));
      this.writeError(STDERR_CUT);
      this.#stderrBytes = NEVER;
    }
  }

  #abandonApp(code: AbortCode): void {
    this.#letGo();
    if (this.#sink === null) return;
    if (this.#tally !== null) this.#tally.service = this.#sink.service ?? null;
    countAbort(this.wire.setting.counters, code);
    this.wire.setting.log.debug(`a request was ended before its time: ${code}`);
    this.#tell({ type: "abort", code });
    this.#sink = null;
  }

  #tell(event: RequestEvent): void {
    try {
      this.#sink?.send(event);
    } catch (error) {
      this.wire.setting.log.error(`the app's end of an exchange threw: ${String(error)}`);
    }
  }
}
