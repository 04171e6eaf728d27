import type { Span, Tracing } from "@genai/tracing";
import type { Request, RequestHandler } from "express";

/** Asked every few seconds by who watches over the server; a trace of each would bury the others. */
const UNTRACED = new Set(["/healthz", "/readyz", "/metrics"]);

const spans = new WeakMap<Request, Span>();

/** A span for every request, continuing the caller's own `traceparent`. Its name and attributes hold the route, never the path itself or
 *  a query: those hold ids and signatures. */
export function traceRequests(tracing: Tracing): RequestHandler {
  return (request, response, next) => {
    if (!UNTRACED.has(request.path)) {
      const { method } = request;
      const parent = request.get("traceparent");
      const span = tracing.start(method, { parent, kind: "server", attributes: { "http.request.method": method } });
      spans.set(request, span);
      response.once("close", () => {
        const route: unknown = request.route?.path;
        const { statusCode } = response;
        span.end({
          ...(typeof route === "string" ? { name: `${method} ${route}` } : {}),
          attributes: {
            ...(typeof route === "string" ? { "http.route": route } : {}),
            "http.response.status_code": statusCode,
          },
          failure: response.writableFinished ? (statusCode >= 500 ? String(statusCode) : null) : "cut off",
        });
      });
    }
    next();
  };
}

/** What a request's work continues from, where it is traced. */
export function traceparentOf(request: Request): string | undefined {
  return spans.get(request)?.traceparent ?? undefined;
}
