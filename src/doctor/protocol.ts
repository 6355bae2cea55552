/** Which protocol is spoken where something listens: it is asked in each of them, without a request of the app where that can be. */
import { connect, discard, type Target } from "../client/target.ts";

export type Spoken = "fastcgi" | "scgi" | "ajp" | "http";

/** What was asked, and how an answer begins. */
interface Greeting {
  readonly ask: Buffer;
  readonly answer: RegExp;
}

/** Bytes of an answer that are looked at. */
const ENOUGH = 512;

const GREETINGS: Readonly<Record<Spoken, Greeting>> = {
  // FCGI_GET_VALUES for FCGI_MPXS_CONNS, answered by FCGI_GET_VALUES_RESULT (FastCGI 1.0 section 4.1).
  fastcgi: {
    ask: Buffer.concat([Buffer.from([1, 9, 0, 0, 0, 17, 0, 0, 15, 0]), Buffer.from("FCGI_MPXS_CONNS")]),
    answer: /^\x01\x0a/,
  },
  // CPing, answered by CPong.
  ajp: { ask: Buffer.from([0x12, 0x34, 0, 1, 10]), answer: /^AB\x00\x01\x09/ },
  http: {
    ask: Buffer.from("OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    answer: /^HTTP\/1\./,
  },
  // Has no such thing: the app is asked for a head.
  scgi: {
    ask: netstring(
      [
        ...["CONTENT_LENGTH", "0", "SCGI", "1", "REQUEST_METHOD", "HEAD", "REQUEST_URI", "/", "SCRIPT_NAME", ""],
        ...["PATH_INFO", "/", "QUERY_STRING", "", "SERVER_PROTOCOL", "HTTP/1.1", "HTTP_HOST", "localhost"],
        ...["SERVER_NAME", "localhost", "SERVER_PORT", "80", "REMOTE_ADDR", "127.0.0.1"],
      ],
      "\0",
    ),
    answer: /^(?:Status|[A-Za-z-]+): /,
  },
};

function netstring(words: readonly string[], end: string): Buffer {
  const text = words.map((word) => word + end).join("");
  return Buffer.from(`${text.length}:${text},`);
}

/** Whether `protocol` is understood there. @throws the system's error where there is no connection */
export async function speaks(
  target: Target,
  protocol: Spoken,
  { timeout, signal }: { readonly timeout: number; readonly signal: AbortSignal },
): Promise<boolean> {
  const { ask, answer } = GREETINGS[protocol];
  const socket = await connect(target, { connectTimeout: timeout, signal });
  try {
    const said = await new Promise<string>((resolve) => {
      let text = "";
      const timer = setTimeout(() => resolve(text), timeout);
      const done = (): void => {
        clearTimeout(timer);
        resolve(text);
      };
      signal.addEventListener("abort", done, { once: true });
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
        if (answer.test(text) || text.length > ENOUGH) done();
      });
      socket.once("close", done).once("end", done).once("error", done);
      socket.write(ask);
    });
    return answer.test(said);
  } finally {
    discard(socket, "now");
  }
}
