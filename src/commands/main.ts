/** What `bin/propylon.js` runs. */
import { createProgram } from "./program.ts";

await createProgram().parseAsync();
