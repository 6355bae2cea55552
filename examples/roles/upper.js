import { Transform } from "node:stream";

/** A FastCGI filter: gets a file of the web server's, answers with its text in capital letters. */
export function makeFilter() {
  return (req, res) => {
    const upper = new Transform({
      transform: (chunk, _encoding, done) => done(null, chunk.toString("latin1").toUpperCase()),
    });
    res.setHeader("Content-Type", "text/plain; charset=us-ascii");
    req.socket.dataStream.pipe(upper).pipe(res);
  };
}
