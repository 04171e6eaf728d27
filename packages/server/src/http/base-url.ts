import type { IncomingMessage } from "node:http";
import type { Request } from "express";

const HOST = /^(?:\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{1,5})?$/i;

/** Where this caller reaches the server, without a trailing slash: the configured public URL, else by the Host header,
 *  else by the socket's own address. */
export function baseUrl(request: Request, publicUrl: string | null): string {
  return baseUrlOver(request.protocol, request, publicUrl);
}

/** The same for a request that did not come through the app, whose scheme is known otherwise. */
export function baseUrlOver(scheme: string, { headers, socket }: IncomingMessage, publicUrl: string | null): string {
  if (publicUrl !== null) return publicUrl.replace(/\/+$/, "");
  const given = headers.host ?? "";
  const address = socket.localAddress ?? "127.0.0.1";
  const own = `${address.includes(":") ? `[${address}]` : address}:${socket.localPort ?? 80}`;
  return `${scheme}://${HOST.test(given) ? given : own}`;
}

/** Where this caller reaches a path of this server. An absolute URL stays as it is. */
export function publicUrlOf(pathOrUrl: string, base: string): string {
  return new URL(pathOrUrl.startsWith("/") ? base + pathOrUrl : pathOrUrl, base).href;
}

/** Where nodes of this caller's network register. */
export function webSocketUrl(request: Request, publicUrl: string | null): string {
  return `${baseUrl(request, publicUrl).replace(/^http/, "ws")}/`;
}
