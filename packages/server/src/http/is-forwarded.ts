import type { IncomingMessage } from "node:http";

const PROXY_HEADERS = ["forwarded", "x-forwarded-for", "x-real-ip", "via"] as const;

/** True where a proxy says that it speaks for somebody: then the address of the socket is the proxy's, and a request from this machine may
 *  be anybody's. A proxy that adds none of these headers (nginx unless it is told to) can't be told from a program of this machine. */
export function isForwarded({ headers }: Pick<IncomingMessage, "headers">): boolean {
  return PROXY_HEADERS.some((name) => name in headers);
}
