import { createHmac, timingSafeEqual } from "node:crypto";

/** What a URL is signed for. A signature for one purpose is invalid for another. */
type Purpose = "download" | "upload" | "pipeline";

/** Signs the URLs that the server hands out. They are paths on this server; the caller prepends its public address. */
export class ArtifactUrls {
  readonly #secret: string;
  readonly #wallMs: () => number;
  readonly #direct: boolean;

  /** `direct`: nodes are to ask for a direct upload URL before they upload a picture. */
  constructor(secret: string, wallMs: () => number, direct = false) {
    this.#secret = secret;
    this.#wallMs = wallMs;
    this.#direct = direct;
  }

  /** Where a client fetches an artifact. */
  download(key: string, expiresInMs: number): string {
    return `/artifacts/${key}?${this.#signed("download", key, expiresInMs)}`;
  }

  /** Where the node of an attempt uploads; `{n}` stands for the number of the picture. */
  upload(attemptId: string, expiresInMs: number): string {
    return `/v2/attempts/${attemptId}/artifacts/{n}?${this.#signed("upload", attemptId, expiresInMs)}${this.#direct ? "&direct=1" : ""}`;
  }

  /** Where the node of an attempt fetches a pipeline that is too large for a frame. */
  pipeline(attemptId: string, expiresInMs: number): string {
    return `/v2/attempts/${attemptId}/pipeline?${this.#signed("pipeline", attemptId, expiresInMs)}`;
  }

  /** `expired` only where the signature is right, so that nobody learns anything by trying. */
  verify(purpose: Purpose, subject: string, expires: unknown, signature: unknown): "good" | "bad" | "expired" {
    if (typeof expires !== "string" || typeof signature !== "string" || !/^\d{1,15}$/.test(expires)) return "bad";
    const wanted = Buffer.from(this.#signature(purpose, subject, expires));
    const given = Buffer.from(signature);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return "bad";
    return Number(expires) * 1_000 < this.#wallMs() ? "expired" : "good";
  }

  #signed(purpose: Purpose, subject: string, expiresInMs: number): string {
    const expires = String(Math.ceil((this.#wallMs() + expiresInMs) / 1_000));
    return `expires=${expires}&signature=${this.#signature(purpose, subject, expires)}`;
  }

  #signature(purpose: Purpose, subject: string, expires: string): string {
    return createHmac("sha256", this.#secret).update(`${purpose}\n${subject}\n${expires}`).digest("base64url");
  }
}
