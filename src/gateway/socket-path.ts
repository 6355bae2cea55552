/** Whether a Unix socket may stand at a path: its length, and who else could replace files in its directory. */
import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ListenError } from "../errors.ts";

/** sun_path has 108 bytes, the last of them NUL (unix(7)). */
const MAX_PATH_BYTES = 107;
/** What the private directory and the name in it add to the socket's own directory: `/.XXXXXX/s`. */
const PRIVATE_NAME_BYTES = 10;

/**
 * @param path as configured; relative to the working directory.
 * @param us the uid that listens.
 * @throws ListenError LISTEN_BAD_ADDRESS, LISTEN_UNSAFE_DIRECTORY; and what stat(2) fails with on the directory.
 */
export function checkSocketPath(path: string, us: number): void {
  if (path === "" || path.includes("\0")) {
    const text = `${JSON.stringify(path)} is no path; abstract sockets are not supported`;
    throw new ListenError("LISTEN_BAD_ADDRESS", text);
  }
  const directory = dirname(resolve(path));
  checkLength(resolve(path), MAX_PATH_BYTES);
  checkLength(directory, MAX_PATH_BYTES - PRIVATE_NAME_BYTES);
  checkDirectory(directory, us);
}

function checkLength(path: string, limit: number): void {
  const length = Buffer.byteLength(path);
  if (length <= limit) return;
  const what = limit === MAX_PATH_BYTES ? "a Unix socket" : "a Unix socket's directory";
  throw new ListenError("LISTEN_BAD_ADDRESS", `${path} has ${length} bytes, ${what} has at most ${limit}`);
}

/** Whoever may rename files in the directory may put a socket of their own in our place. */
function checkDirectory(directory: string, us: number): void {
  const { uid, mode } = statSync(directory);
  if (uid !== 0 && uid !== us) {
    const text = `${directory} belongs to uid ${uid}, expected root or uid ${us}, who listens`;
    throw new ListenError("LISTEN_UNSAFE_DIRECTORY", text);
  }
  const worldWritable = (mode & 0o002) !== 0;
  const sticky = (mode & 0o1000) !== 0;
  if (worldWritable && !sticky) {
    const text = `anybody may replace files in ${directory}: its mode is ${(mode & 0o7777).toString(8).padStart(4, "0")}`;
    throw new ListenError("LISTEN_UNSAFE_DIRECTORY", text);
  }
}
