import { ScalerError } from "./scaler-error.ts";

/** What an aborted creation is told: that time was up, or that the caller went away. */
export function abortError(signal: AbortSignal, what: string): ScalerError {
  const late = signal.reason instanceof Error && signal.reason.name === "TimeoutError";
  return late
    ? new ScalerError("timeout", `${what} took longer than CREATE_TIMEOUT allows; what was begun was undone.`)
    : new ScalerError("canceled", `${what} was canceled; what was begun was undone.`);
}
