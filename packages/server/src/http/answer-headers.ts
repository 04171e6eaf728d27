import { randomUUID } from "node:crypto";
import type { RequestHandler } from "express";
import { answerPreflight, CORS_HEADERS } from "./cors.ts";
import { securityHeaders } from "./security-headers.ts";

const GIVEN_ID = /^[A-Za-z0-9._~-]{1,128}$/;

/** Gives every answer its headers: an id (the caller's own where it is a plain word), and what browsers are to allow. One step of the
 *  app, since each costs as much as a small handler. */
export function answerHeaders(): RequestHandler {
  const fixed = Object.entries({ ...securityHeaders(), ...CORS_HEADERS });
  return (request, response, next) => {
    const given = request.headers["x-request-id"];
    response.setHeader("X-Request-Id", typeof given === "string" && GIVEN_ID.test(given) ? given : randomUUID());
    for (const [name, value] of fixed) response.setHeader(name, value);
    if (request.method === "OPTIONS") answerPreflight(request, response, next);
    else next();
  };
}
