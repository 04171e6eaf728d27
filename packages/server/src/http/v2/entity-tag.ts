import { createHash } from "node:crypto";

/** A weak tag of a body. Addresses do not count: a signed one is another each time and leads to the same bytes. */
export function entityTag(body: unknown): string {
  const text = JSON.stringify(body, (key, value: unknown) => (key === "url" ? undefined : value));
  return `W/"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
}

/** Whether an `If-None-Match` names this tag, or any. */
export function namesTag(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const given = ifNoneMatch.split(",").map((part) => part.trim().replace(/^W\//, ""));
  return given.includes("*") || given.includes(tag.replace(/^W\//, ""));
}
