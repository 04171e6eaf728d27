import type { RequestListener } from "node:http";
import type { Socket } from "node:net";

/** Most requests of one connection that may wait behind the one that is being answered. Hardly any client sends one before the last answer
 *  is here; proxies don't. */
const WAITING_MAX = 32;

/** Gives a listener one request of each connection at a time. Node gives it all that have come (pipelining, RFC 9112, 9.3.2) and holds their
 *  answers back; such an answer never hears that its connection is gone, so whatever waits for that would never end. */
export function oneAtATime(listener: RequestListener): RequestListener {
  const waiting = new WeakMap<Socket, number>();
  return (request, response) => {
    // An answer gets the connection when its turn comes.
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
