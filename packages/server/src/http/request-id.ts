import { randomUUID } from "node:crypto";
import type { RequestHandler } from "express";

const GIVEN = /^[A-Za-z0-9._~-]{1,128}$/;

/** Gives every request an id, the caller's own where it is a plain word, and says it in the answer. */
export const requestId: RequestHandler = (request, response, next) => {
  const given = request.headers["x-request-id"];
  response.setHeader("X-Request-Id", typeof given === "string" && GIVEN.test(given) ? given : randomUUID());
  next();
};
