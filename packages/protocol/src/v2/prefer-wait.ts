/** Longest that `Prefer: wait` may ask for, in seconds. */
export const WAIT_SECONDS_MAX = 300;

/** The seconds of `Prefer: wait=N` (RFC 7240) among other preferences, at most 300; null where none is asked for or it is no
 *  whole number: a preference that is not understood is ignored. */
export function preferredWaitSeconds(prefer: string | undefined): number | null {
  const seconds = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])/i.exec(prefer ?? "")?.[1];
  return seconds === undefined ? null : Math.min(Number(seconds), WAIT_SECONDS_MAX);
}
