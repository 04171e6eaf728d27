import express, { type Request, type Router } from "express";
import { isSameSecret } from "../identity/is-same-secret.ts";
import { callerOf, headerToken, isFromLoopback } from "./caller-of.ts";
import type { HttpAppOptions } from "./http-options.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { isForwarded } from "./is-forwarded.ts";

/** `GET /metrics`: for who shows METRICS_TOKEN, for administrators, and, where there is no such token, for this machine. */
export function metricsRouter(options: Pick<HttpAppOptions, "metrics" | "authenticate" | "settings">): Router {
  const router = express.Router();
  router.get("/metrics", async (request, response) => {
    if (!(await mayLook(request, options))) {
      throw new HttpRefusal("unauthenticated", { headers: { "WWW-Authenticate": "Bearer" } });
    }
    const text = await options.metrics.text();
    response.type(options.metrics.contentType).setHeader("Cache-Control", "no-store").send(text);
  });
  return router;
}

async function mayLook(
  request: Request,
  { settings: { metricsToken }, authenticate }: Pick<HttpAppOptions, "authenticate" | "settings">,
): Promise<boolean> {
  const given = headerToken(request);
  // A proxy on this machine speaks for others, trusted or not: what it forwards is theirs.
  if (metricsToken === null && isFromLoopback(request) && !isForwarded(request)) return true;
  if (given === null) return false;
  if (metricsToken !== null && isSameSecret(given, metricsToken)) return true;
  return (await callerOf(authenticate, given)).role === "admin";
}
