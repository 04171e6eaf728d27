import { hash } from "node:crypto";
import type { Caller } from "./caller.ts";

/** Static keys beside JWTs; only their hashes are known here. */
export interface ApiKeys {
  /** The holder of the key with this SHA-256 (lower-case hex), or null. */
  lookup(keyHash: string): Promise<Pick<Caller, "userId" | "role"> | null>;
}

/** SHA-256 of a key or token in lower-case hex. A lookup by it needs no constant-time comparison: nobody can steer a hash. */
export function tokenHash(token: string): string {
  return hash("sha256", token, "hex");
}
