/** Puts together a stack from what the inspector of a thread says (Chrome DevTools Protocol, domain Debugger). */

interface CallFrame {
  readonly functionName: string;
  readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber?: number };
}

/** An event, or the answer to a command. */
export interface InspectorMessage {
  readonly method?: string;
  readonly params?: unknown;
}

const FRAMES_SHOWN = 50;

export class StackReader {
  /** The URLs of the thread's scripts, which are told after Debugger.enable. */
  readonly #scripts = new Map<string, string>();

  /** Frames as in the stack of an error, once the thread has paused; null before. */
  read({ method, params }: InspectorMessage): string | null {
    if (method === "Debugger.scriptParsed") {
      const { scriptId, url } = params as { scriptId: string; url: string };
      this.#scripts.set(scriptId, url);
    }
    if (method !== "Debugger.paused") return null;
    const { callFrames } = params as { callFrames: readonly CallFrame[] };
    const lines = callFrames.slice(0, FRAMES_SHOWN).map((frame) => this.#line(frame));
    return lines.join("\n");
  }

  #line({ functionName, location: { scriptId, lineNumber, columnNumber = 0 } }: CallFrame): string {
    const place = `${this.#scripts.get(scriptId) ?? ""}:${lineNumber + 1}:${columnNumber + 1}`;
    return functionName === "" ? `    at ${place}` : `    at ${functionName} (${place})`;
  }
}
