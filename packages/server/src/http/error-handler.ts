import type { ErrorRequestHandler } from "express";
import { requestIdOf } from "./answer-headers.ts";
import type { HttpAppOptions } from "./http-options.ts";
import type { HttpRefusal } from "./http-refusal.ts";
import { refusalOf } from "./refusal-of.ts";
import { discardRest } from "./request-body.ts";
import { v1RefusalBody } from "./v1/v1-refusal-body.ts";
import { problemOf } from "./v2/problem.ts";

/** The one place where a handler's error becomes an answer: `{ok:false, error}` for v1, a problem document elsewhere. */
export function errorHandler({
  settings,
  logger,
}: Pick<HttpAppOptions, "logger"> & {
  readonly settings: Pick<HttpAppOptions["settings"], "bodyBytesMax">;
}): ErrorRequestHandler {
  return (error, request, response, _next) => {
    const refusal: HttpRefusal = refusalOf(error);
    const requestId = requestIdOf(response);
    if (refusal.code === "internal" || (refusal.code === "unavailable" && refusal.cause !== undefined)) {
      logger.error({ err: refusal.cause, requestId, method: request.method, path: request.path }, "a request failed");
    }
    // Too late for another answer: the caller has hung up, or has half of this one.
    if (response.headersSent || request.socket.destroyed) {
      response.destroy();
      return;
    }
    discardRest(request, settings.bodyBytesMax);
    response.status(refusal.status).set(refusal.headers);
    if (/^\/v1(\/|$)/i.test(request.path)) response.json(v1RefusalBody(refusal));
    else response.type("application/problem+json").send(JSON.stringify(problemOf(refusal, requestId)));
  };
}
