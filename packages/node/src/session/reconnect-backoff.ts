/** Waits between tries: 0.25, 0.5, 1 … 10 s. */
const FIRST_MS = 250;
const MOST_MS = 10_000;

/** How long to wait before the `failures`-th try in a row (from 1), in milliseconds: doubling, less a jitter of up to half that only
 *  `salt` decides, so that a fleet that lost its server does not come back as one. */
export function reconnectDelayMs(failures: number, salt: string): number {
  const full = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 16));
  return Math.round(full * (1 - fraction(`${salt}/${failures}`) / 2));
}

/** A number from 0 to 1 that a text decides (FNV-1a). */
export function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  // The low bits of FNV are better mixed than the high ones; fold them together.
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}
