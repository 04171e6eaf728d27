import type { IncomingMessage } from "node:http";
import type { RequestHandler } from "express";
import { HttpRefusal } from "./http-refusal.ts";

/** True where a request names two hosts (RFC 9112, 3.2: answer it with 400). Node's parser takes the first, a proxy before it may have
 *  taken the other. */
export function hasTwoHosts({ rawHeaders }: Pick<IncomingMessage, "rawHeaders">): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === "host") hosts += 1;
  }
  return hosts > 1;
}

export const oneHost: RequestHandler = (request, _response, next) => {
  if (hasTwoHosts(request)) throw new HttpRefusal("invalid_request", { detail: "there are two Host headers" });
  next();
};
