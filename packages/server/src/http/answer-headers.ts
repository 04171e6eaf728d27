import { randomUUID } from "node:crypto";
import { type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Express, RequestHandler, Response } from "express";
import { answerPreflight, CORS_HEADERS } from "./cors.ts";
import { securityHeaders } from "./security-headers.ts";

const GIVEN_ID = /^[A-Za-z0-9._~-]{1,128}$/;

/** What may be given to `writeHead` behind the status. An array is names and values in turn, none of them a header of every answer. */
type Head = OutgoingHttpHeaders | OutgoingHttpHeader[];

/** Gives every answer of an app an id (the caller's own where it is a plain word) and what browsers are to allow; a route's own header
 *  of the same name counts instead. Added as the head is written, because a header that is set before is looked up, copied and looked up
 *  again: for seven of them that is as much as a small handler costs. */
export function addAnswerHeaders(app: Express): void {
  const fixed = Object.entries({ ...securityHeaders(), ...CORS_HEADERS });
  const fixedFlat = fixed.flat();
  const { writeHead } = ServerResponse.prototype;
  app.response.writeHead = function (this: Response, status: number, ...rest: readonly (string | Head | undefined)[]) {
    const requestId = requestIdOf(this);
    const [head] = rest;
    if (Array.isArray(head) && this.getHeaderNames().length === 0) {
      return writeHead.call(this, status, ["X-Request-Id", requestId, ...fixedFlat, ...head]);
    }
    this.setHeader("X-Request-Id", requestId);
    for (const [name, value] of fixed) if (!this.hasHeader(name)) this.setHeader(name, value);
    return writeHead.call(this, status, ...(rest as [Head]));
  } as typeof app.response.writeHead;
  app.use(identify);
}

/** The id of the request that this answers. */
export function requestIdOf(response: Response): string {
  return response.locals.requestId ?? "";
}

const identify: RequestHandler = (request, response, next) => {
  const given = request.headers["x-request-id"];
  response.locals.requestId = typeof given === "string" && GIVEN_ID.test(given) ? given : randomUUID();
  if (request.method === "OPTIONS") answerPreflight(request, response, next);
  else next();
};
