import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";

/** The headers of an offer to upgrade. `Connection` only names them, so dropping it keeps the connection alive. */
const OFFER = new Set(["upgrade", "connection", "http2-settings"]);

/** Serves a request that offers to upgrade to some other protocol as if it had not, as RFC 9110, 7.8 allows: Java's HTTP client offers h2c with
 *  every call. Once there is a listener for upgrades, Node 20 treats every such offer as an upgrade and stops parsing HTTP on the connection.
 *  So the request is put back in front of what follows it, without the offer, and the connection is handed to the server again. */
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
