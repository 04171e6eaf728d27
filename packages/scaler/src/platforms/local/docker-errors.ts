import { ScalerError } from "../../core/scaler-error.ts";

/** Turns what dockerode throws into what the caller is told. `what` begins the sentence: "Creating the container". */
export function dockerError(error: unknown, what: string): ScalerError {
  if (error instanceof ScalerError) return error;
  const { statusCode, code, name } = shape(error);
  const reason = reasonOf(error);
  if (/no space left on device/i.test(reason)) {
    return new ScalerError("platform_full", `${what} failed: the engine's disk is full.`, { cause: error });
  }
  if (statusCode === undefined) {
    const why = name === "AbortError" || name === "TimeoutError" ? "in time" : `(${code ?? reason})`;
    return new ScalerError(
      "platform_away",
      `${what} failed: the Docker engine does not answer ${why}. Is it running?`,
      {
        cause: error,
      },
    );
  }
  if (statusCode === 404) return new ScalerError("not_found", `${what} failed: ${reason}.`, { cause: error });
  if (statusCode === 400) return new ScalerError("invalid", `${what} failed: ${reason}.`, { cause: error });
  // The engine's word for "no GPU here" comes as a 500 like everything else.
  if (/could not select device driver|no known GPU vendor/i.test(reason)) {
    return new ScalerError("platform_refused", `${what} failed: this engine has no GPU to give (${reason}).`, {
      cause: error,
    });
  }
  if (statusCode >= 500 && /connection refused|timeout|temporar/i.test(reason)) {
    return new ScalerError("platform_away", `${what} failed: ${reason}.`, { cause: error });
  }
  return new ScalerError("platform_refused", `${what} failed: ${reason}.`, { cause: error });
}

/** HTTP status of an engine's refusal, or null when it gave none. */
export function dockerStatus(error: unknown): number | null {
  return shape(error).statusCode ?? null;
}

function shape(error: unknown): { statusCode?: number; code?: string; name?: string } {
  return typeof error === "object" && error !== null ? error : {};
}

/** The engine's own sentence on one line, without its final dot, at most 300 characters. */
export function reasonOf(error: unknown): string {
  const json = (error as { json?: { message?: unknown } }).json?.message;
  const text = typeof json === "string" ? json : error instanceof Error ? error.message : String(error);
  return text
    .replace(/\s+/g, " ")
    .replace(/^\(HTTP code \d+\) [^-]* - /, "")
    .trim()
    .replace(/\.$/, "")
    .slice(0, 300);
}
