import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";

/** What offers another protocol, and what belongs to such an offer. `Connection` names them and says no more: the answer keeps the connection. */
const OFFER = new Set(["upgrade", "connection", "http2-settings"]);

/** Serves a request that offers a protocol other than a node's as if it offered none, as RFC 9110, 7.8 has it: Java's HTTP client offers
 *  h2c with each call. Where anybody listens for upgrades, Node 20 takes every offer for one and stops reading HTTP there; so the
 *  request is put back in front of what came after it, without its offer, and the connection begins anew. */
export function ignoreOffer(http: Server, request: IncomingMessage, socket: Socket, rest: Buffer): void {
  const { method = "GET", url = "/", httpVersion, rawHeaders } = request;
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = rawHeaders.slice(at, at + 2);
    if (!OFFER.has(name.toLowerCase())) head += `${name}: ${value}\r\n`;
  }
  // Headers are Latin-1 to Node, in and out.
  socket.unshift(Buffer.concat([Buffer.from(`${head}\r\n`, "latin1"), rest]));
  http.emit("connection", socket);
}
