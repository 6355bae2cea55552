/** A finished CGI header block taken apart again, for a protocol that carries status and fields by themselves. */

export interface HeadFields {
  readonly status: number;
  readonly reason: string;
  /** In their order, a character for each byte; without `Status`. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

const STATUS = "Status: ";

/** @param block as the app's side makes it: `Status` line first, CRLF line ends, no folded lines, blank line last. */
export function headFields(block: string): HeadFields {
  const end = block.indexOf("\r\n");
  const status = Number(block.slice(STATUS.length, STATUS.length + 3));
  const reason = block.slice(STATUS.length + 4, end);
  const headers: [string, string][] = [];
  for (let start = end + 2, next = 0; start < block.length - 2; start = next + 2) {
    next = block.indexOf("\r\n", start);
    const colon = block.indexOf(":", start);
    headers.push([block.slice(start, colon), block.slice(colon + 1, next).trim()]);
  }
  return { status, reason, headers };
}
