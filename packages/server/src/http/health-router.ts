import express, { type Router } from "express";
import type { HttpAppOptions } from "./http-options.ts";

/** How long the store may take to answer before the server counts as not ready, in milliseconds. */
const PING_TIMEOUT_MS = 2_000;

/** `GET /healthz`: the process lives. `GET /readyz`: it takes work, which needs its store. */
export function healthRouter(options: Pick<HttpAppOptions, "store" | "isReady">): Router {
  const router = express.Router();
  router.get("/healthz", (_request, response) => {
    response.setHeader("Cache-Control", "no-store").json({ status: "ok" });
  });
  router.get("/readyz", async (_request, response) => {
    const reason = options.isReady() ? await storeTrouble(options) : "stopping";
    response
      .status(reason === null ? 200 : 503)
      .setHeader("Cache-Control", "no-store")
      .json(reason === null ? { status: "ready" } : { status: "not ready", reason });
  });
  return router;
}

/** Null where the store can be written in time. */
async function storeTrouble({ store }: Pick<HttpAppOptions, "store">): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, PING_TIMEOUT_MS, "the store does not answer");
  });
  const answered = store.ping().then(
    () => null,
    () => "the store is away",
  );
  try {
    return await Promise.race([answered, late]);
  } finally {
    clearTimeout(timer);
  }
}
