/** The dialogue with a debugger that gets the frames of a running thread, whichever way its messages go. */
import type { Debugger } from "node:inspector";

import { escapeLine } from "../log.ts";

/** Frames of one stack, at most: a runaway recursion has thousands. */
const MAX_FRAMES = 50;

export interface DialogueOptions {
  /** Sends a command to the thread's debugger; nobody waits for the answer. */
  readonly post: (method: string) => void;
  /** Called once per pause, while the thread is held; it runs on when the promise settles. */
  readonly onPaused: (frames: readonly Frame[]) => Promise<void> | void;
}

export interface Frame {
  /** Empty for a function without a name. */
  readonly name: string;
  readonly url: string;
  readonly line: number;
  readonly column: number;
}

export class DebuggerDialogue {
  readonly #options: DialogueOptions;
  /** Where scripts come from, by their id; told for all of them when a debugger is enabled. */
  readonly #urls = new Map<string, string>();

  constructor(options: DialogueOptions) {
    this.#options = options;
  }

  begin(): void {
    this.#options.post("Debugger.enable");
    this.#options.post("Debugger.pause");
  }

  /** Takes a pending pause back as well; code runs at full speed again. */
  end(): void {
    this.#options.post("Debugger.disable");
  }

  /** A notification has come from the thread. */
  notified(method: string, params: unknown): Promise<void> | void {
    if (method === "Debugger.scriptParsed") {
      const { scriptId, url } = params as Debugger.ScriptParsedEventDataType;
      this.#urls.set(scriptId, url);
    } else if (method === "Debugger.paused") {
      const { callFrames } = params as Debugger.PausedEventDataType;
      const done = this.#options.onPaused(callFrames.slice(0, MAX_FRAMES).map((frame) => this.#frame(frame)));
      if (done === undefined) return this.#release();
      return done.finally(() => this.#release());
    }
  }

  /** While the thread is held still: it may be gone a moment later. */
  #release(): void {
    this.#options.post("Debugger.resume");
    this.#options.post("Debugger.disable");
  }

  #frame({ functionName, location }: Debugger.CallFrame): Frame {
    const { scriptId, lineNumber, columnNumber = 0 } = location;
    const url = this.#urls.get(scriptId) || "<anonymous>";
    return { name: functionName, url, line: lineNumber + 1, column: columnNumber + 1 };
  }
}

/** A line for each, as in the stack of an error. */
export function framesText(frames: readonly Frame[]): string {
  return frames
    .map(({ name, url, line, column }) => escapeLine(`${name || "<anonymous>"} (${url}:${line}:${column})`))
    .map((frame) => `    at ${frame}`)
    .join("\n");
}
