/** What `bin/propylon.js` runs. */
import { createProgram } from "./program.ts";

// Whoever read them may be gone (`| head`, a log daemon); that ends no server.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

await createProgram().parseAsync();
