import type { Readable } from "node:stream";

/** Lets go of an answer whose rest nobody wants, with its connection. A stream that is destroyed early says so as an error, and an error that
 *  nobody hears ends the process. */
export function dropBody(body: Readable): void {
  body.on("error", () => {}).destroy();
}
