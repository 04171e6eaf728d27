import { createHash, timingSafeEqual } from "node:crypto";
import type { Metadata } from "@grpc/grpc-js";
import { ScalerError } from "../core/scaler-error.ts";

/** Lets calls in by `authorization: Bearer TOKEN`. Without a token everybody comes in: then the address or TLS must have kept others out. */
export class Authenticator {
  readonly #digest: Buffer | null;

  /** null: no token is asked for. */
  constructor(token: string | null) {
    this.#digest = token === null ? null : sha256(token);
  }

  /** Throws `unauthenticated`. */
  check(metadata: Metadata): void {
    if (!this.#digest) return;
    const [header] = metadata.get("authorization");
    const given = typeof header === "string" ? /^bearer +(.+)$/i.exec(header)?.[1] : undefined;
    if (given === undefined)
      throw new ScalerError("unauthenticated", "This scaler wants its token: authorization: Bearer …");
    // Digests of one length, so that neither length nor content shows in the time it takes.
    if (!timingSafeEqual(sha256(given), this.#digest)) throw new ScalerError("unauthenticated", "The token is wrong.");
  }
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
