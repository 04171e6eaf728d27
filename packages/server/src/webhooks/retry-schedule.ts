const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Time before each try, in milliseconds: ten tries over three days, as Standard Webhooks advises. */
export const RETRY_DELAYS_MS: readonly number[] = [
  0,
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];

/** How much a delay is stretched or shortened, as a part of it: a sink that was away is not met by everything at one moment. */
const JITTER = 0.1;
/** Longest wait that a sink may ask for, in milliseconds. */
const RETRY_AFTER_MS_MAX = 24 * HOUR_MS;

/** Time until the next try after `tries` failed ones, or null where there is none. `random` from 0 to 1. */
export function retryDelayMs(tries: number, retryAfterMs: number | null, random: number): number | null {
  const delayMs = RETRY_DELAYS_MS[tries];
  if (delayMs === undefined) return null;
  const jittered = Math.round(delayMs * (1 + JITTER * (2 * random - 1)));
  return Math.max(jittered, Math.min(retryAfterMs ?? 0, RETRY_AFTER_MS_MAX));
}

/** What a Retry-After header asks for, in milliseconds from now; null for none or nonsense. RFC 9110, 10.2.3. */
export function readRetryAfterMs(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * SECOND_MS;
  const atMs = / GMT$/.test(header.trim()) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}
