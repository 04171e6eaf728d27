import { StoreUnavailable } from "../tasks/task-store.ts";
import { HttpRefusal } from "./http-refusal.ts";

/** Callers are asked to come back after this long while the store is away, in milliseconds. */
export const STORE_RETRY_MS = 2_000;

/** What a handler's error means to the caller. What nobody foresaw is `internal`, with its cause for the log. */
export function refusalOf(error: unknown): HttpRefusal {
  if (error instanceof HttpRefusal) return error;
  if (error instanceof StoreUnavailable) {
    return new HttpRefusal("unavailable", {
      detail: "the store is away at present",
      retryAfterMs: STORE_RETRY_MS,
      cause: error,
    });
  }
  const status = statusByExpress(error);
  if (status !== null && status >= 400 && status < 500) {
    return new HttpRefusal("invalid_request", { detail: "the request cannot be read", cause: error });
  }
  return new HttpRefusal("internal", { cause: error });
}

/** Express throws http-errors for what it cannot read, such as a badly escaped path. */
function statusByExpress(error: unknown): number | null {
  return error instanceof Error && "status" in error && typeof error.status === "number" ? error.status : null;
}
