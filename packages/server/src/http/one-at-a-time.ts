import type { RequestListener } from "node:http";
import type { Socket } from "node:net";

/** How many requests of one connection may wait behind the one being answered. Hardly any client pipelines requests, and proxies do not. */
const WAITING_MAX = 32;

/** Passes a listener one request per connection at a time. Node passes all pipelined requests (RFC 9112, 9.3.2) at once and holds back their answers.
 *  A held-back answer never gets an event when its connection closes, so anything waiting for that event would wait forever. */
export function oneAtATime(listener: RequestListener): RequestListener {
  const waiting = new WeakMap<Socket, number>();
  return (request, response) => {
    // An answer is assigned its connection when its turn comes.
    if (response.socket !== null) {
      listener(request, response);
      return;
    }
    const { socket } = request;
    const count = (waiting.get(socket) ?? 0) + 1;
    waiting.set(socket, count);
    if (count > WAITING_MAX) {
      socket.destroy();
      return;
    }
    response.once("socket", () => {
      waiting.set(socket, (waiting.get(socket) ?? 1) - 1);
      listener(request, response);
    });
  };
}
