import type { RequestListener, ServerResponse } from "node:http";

/** A caller that reads nothing of a complete answer for this long is cut off, in milliseconds. */
const STALL_MS = 30_000;

/** Bounds how long an answer is held for a caller that does not read it. Streams have a bound of their own. */
export function cutStalled(listener: RequestListener, stallMs = STALL_MS): RequestListener {
  function atItsEnd(this: ServerResponse): void {
    if (this.socket === null || this.socket.writableLength === 0) return;
    this.setTimeout(stallMs, () => this.destroy());
  }
  return (request, response) => {
    response.once("prefinish", atItsEnd);
    listener(request, response);
  };
}
