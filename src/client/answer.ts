/** The answer to a client's request: a CGI document, put together as its bytes arrive. */
import { Readable } from "node:stream";
import { type CgiResponseHead, CgiResponseReader } from "../protocol/cgi-response-reader.ts";

/** How a request ended (FastCGI 1.0 section 5.5). SCGI and AJP have no such thing: both are 0. */
export interface Ending {
  readonly appStatus: number;
  readonly protocolStatus: number;
}

/** What an answer, or an interim one before it, begins with. */
export type AnswerHead = CgiResponseHead;

export interface Answer extends AnswerHead {
  /**
   * The body. It is read from the connection no faster than from here, so it has to be read or destroyed; destroying
   * it early closes the connection. It errors when the answer breaks off.
   */
  readonly body: Readable;
  /** What came on FCGI_STDERR so far, at most its first 64 KiB. */
  readonly stderr: string;
  /** Settles with the end of the answer; rejected with the error that `body` has. Need not be awaited. */
  readonly ended: Promise<Ending>;
}

/** As it stands in a CGI document (RFC 3875 section 6), one character for each byte, blank line last. */
export function headText({ status, reason, headers }: AnswerHead, lineEnd = "\r\n"): string {
  const lines = [`Status: ${status} ${reason}`.trimEnd(), ...headers.map(([name, value]) => `${name}: ${value}`)];
  return [...lines, lineEnd].join(lineEnd);
}

const MAX_STDERR = 64 * 1024;

/** Who is told what becomes of an answer. */
export interface AnswerOwner {
  /** An interim head is there. */
  informed(head: AnswerHead): void;
  /** The head is there. Called once at most. */
  begun(answer: Answer): void;
  /** The reader of the body wants more. */
  wanted(): void;
  /** The reader of the body has destroyed it before its end. */
  abandoned(): void;
}

/** Takes the bytes of both streams; gives its owner the `Answer` as soon as there is a head. */
export class AnswerBuilder {
  /** Null once the answer is over. */
  #owner: AnswerOwner | null;
  readonly #cgi = new CgiResponseReader();
  readonly #body: Readable;
  #stderr = "";
  readonly #stderrDecoder = new TextDecoder();
  #stderrBytes = 0;
  #begun = false;
  readonly #ended: Promise<Ending>;
  #settle!: { resolve: (ending: Ending) => void; reject: (error: Error) => void };

  constructor(owner: AnswerOwner) {
    this.#owner = owner;
    this.#ended = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#ended.catch(() => {});
    this.#body = new Readable({
      read: () => this.#owner?.wanted(),
      destroy: (error, callback) => {
        this.#owner?.abandoned();
        callback(error);
      },
    });
    // One that breaks off together with its head fails before anybody can listen: whoever reads it hears of that, and
    // nobody else need.
    this.#body.on("error", () => {});
  }

  get begun(): boolean {
    return this.#begun;
  }

  /**
   * Bytes of the document. Returns false when the reader of the body has enough for now.
   *
   * @throws ProtocolError CGI_BAD_RESPONSE
   */
  stdout(content: Uint8Array): boolean {
    this.#cgi.receive(content);
    let wanted = true;
    for (let event = this.#cgi.nextEvent(); event !== null; event = this.#cgi.nextEvent()) {
      switch (event.type) {
        case "interim":
          this.#owner?.informed(event);
          break;
        case "head":
          this.#begin(event);
          break;
        case "body":
          wanted = this.#body.push(event.content);
          break;
      }
    }
    return wanted;
  }

  stderr(content: Uint8Array): void {
    const kept = content.subarray(0, MAX_STDERR - this.#stderrBytes);
    this.#stderrBytes += kept.byteLength;
    this.#stderr += this.#stderrDecoder.decode(kept, { stream: true });
  }

  /**
   * The document is complete.
   *
   * @throws ProtocolError CGI_BAD_RESPONSE if it has no head
   */
  end(ending: Ending): void {
    this.#cgi.end();
    this.#owner = null;
    this.#body.push(null);
    this.#settle.resolve(ending);
  }

  /** The answer breaks off. */
  fail(error: Error): void {
    this.#owner = null;
    this.#settle.reject(error);
    // Without a head nobody has the body, so nobody could hear its error.
    if (this.#begun) this.#body.destroy(error);
  }

  #begin(head: AnswerHead): void {
    this.#begun = true;
    const { status, reason, headers } = head;
    const stderr = (): string => this.#stderr;
    this.#owner?.begun({
      status,
      reason,
      headers,
      body: this.#body,
      ended: this.#ended,
      get stderr() {
        return stderr();
      },
    });
  }
}
