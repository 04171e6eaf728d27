import { createHash, timingSafeEqual } from "node:crypto";

/** Compares two secrets in a time that depends neither on where they differ nor on their lengths. */
export function isSameSecret(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
