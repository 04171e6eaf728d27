import type { RequestHandler } from "express";

const ALLOWED_HEADERS =
  "token, authorization, content-type, idempotency-key, prefer, last-event-id, if-none-match, x-request-id";
const EXPOSED_HEADERS =
  "location, retry-after, etag, x-request-id, preference-applied, link, ratelimit, ratelimit-policy";
/** How long a browser may remember a preflight, in seconds. */
const PREFLIGHT_AGE_S = 7_200;

/** Opens the API to pages of any origin: callers prove themselves by tokens, never by cookies. Answers preflights itself. */
export const cors: RequestHandler = (request, response, next) => {
  response.setHeader("Access-Control-Allow-Origin", "*");
  response.setHeader("Access-Control-Expose-Headers", EXPOSED_HEADERS);
  response.setHeader("Cross-Origin-Resource-Policy", "cross-origin");
  if (request.method !== "OPTIONS") {
    next();
    return;
  }
  response.setHeader("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, HEAD, OPTIONS");
  response.setHeader("Access-Control-Allow-Headers", ALLOWED_HEADERS);
  response.setHeader("Access-Control-Max-Age", String(PREFLIGHT_AGE_S));
  response.status(204).end();
};
