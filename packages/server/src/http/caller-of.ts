import type { Request } from "express";
import type { Authenticate, Caller } from "../identity/caller.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { isLoopback } from "./is-loopback.ts";

/** The token of the headers: `Authorization: Bearer`, else the header `token`; null where neither has one. */
export function headerToken(request: Request): string | null {
  const bearer = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
  if (bearer !== undefined) return bearer;
  const token = request.headers.token;
  return typeof token === "string" && token.trim() !== "" ? token : null;
}

/** The caller whose token this is; refuses with `unauthenticated`. */
export async function callerOf(authenticate: Authenticate, token: string | null): Promise<Caller> {
  const authentication = await authenticate(token);
  switch (authentication.type) {
    case "caller":
      return authentication.caller;
    case "refused":
      throw new HttpRefusal("unauthenticated", {
        detail: authentication.message,
        headers: { "WWW-Authenticate": token === null ? "Bearer" : 'Bearer error="invalid_token"' },
      });
    case "unavailable":
      throw new HttpRefusal("unavailable", {
        detail: authentication.message,
        retryAfterMs: authentication.retryAfterMs,
      });
  }
}

/** True where the request comes from this machine. */
export function isFromLoopback(request: Request): boolean {
  // Where no proxy speaks for anybody the socket knows, which is much cheaper to ask.
  const isDirect = request.headers["x-forwarded-for"] === undefined;
  return isLoopback(isDirect ? request.socket.remoteAddress : request.ip);
}
