import { setMaxListeners } from "node:events";
import express, { type Express } from "express";
import { addAnswerHeaders } from "./answer-headers.ts";
import { docsRouter } from "./docs/docs-router.ts";
import { errorHandler } from "./error-handler.ts";
import { healthRouter } from "./health-router.ts";
import type { HttpAppOptions } from "./http-options.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { metricsRouter } from "./metrics-router.ts";
import { oneHost } from "./one-host.ts";
import { RequestLimits } from "./request-limits.ts";
import { traceRequests } from "./request-tracing.ts";
import { mountV1 } from "./v1/mount-v1.ts";
import { v2Router } from "./v2/v2-router.ts";

/** The whole HTTP side as one express app: v1, v2, its documentation and health, and what other parts mount. */
export function createHttpApp(options: HttpAppOptions): Express {
  // Every stream listens for the end.
  setMaxListeners(0, options.stopping);
  const app = express();
  app.disable("x-powered-by");
  // v2 makes its own; v1's clients compare bodies, not tags.
  app.disable("etag");
  app.set("trust proxy", [...options.settings.trustedProxies]);
  app.set("query parser", "simple");

  if (options.tracing.isOn) app.use(traceRequests(options.tracing));
  addAnswerHeaders(app);
  app.use(oneHost);
  const limits = new RequestLimits(options.settings);
  // The busiest first, and on the app itself: express tries one after the other, and a router in a router costs twice.
  mountV1(app, options, limits);
  for (const router of options.routers) app.use(router);
  app.use(healthRouter(options));
  app.use(metricsRouter(options));
  app.use(v2Router(options, limits));
  app.use(docsRouter(options));
  app.use(() => {
    throw new HttpRefusal("route_not_found");
  });
  app.use(errorHandler(options));
  return app;
}
