import type { RequestHandler } from "express";

const ALLOWED_HEADERS =
  "token, authorization, content-type, idempotency-key, prefer, last-event-id, if-none-match, x-request-id";
const EXPOSED_HEADERS =
  "location, retry-after, etag, x-request-id, preference-applied, link, ratelimit, ratelimit-policy";
/** How long a browser may remember a preflight, in seconds. */
const PREFLIGHT_AGE_S = 7_200;

/** Open the API to pages of any origin: callers prove themselves by tokens, never by cookies. */
export const CORS_HEADERS = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers": EXPOSED_HEADERS,
} as const;

/** Answers what a browser asks before a request of another origin's page. */
export const answerPreflight: RequestHandler = (_request, response) => {
  response.setHeader("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, HEAD, OPTIONS");
  response.setHeader("Access-Control-Allow-Headers", ALLOWED_HEADERS);
  response.setHeader("Access-Control-Max-Age", String(PREFLIGHT_AGE_S));
  response.status(204).end();
};
