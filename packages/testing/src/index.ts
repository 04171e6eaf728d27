/** What the tests and trials of several packages stand on. A PostgreSQL is behind a door of its own, `./postgres`. */
export { freePort } from "./free-port.ts";
export { type Exit, Program, root } from "./program.ts";
export { until } from "./until.ts";
