import type { ResultFrame } from "@genai/protocol";
import type { Span, Tracing } from "@genai/tracing";
import type { Logger } from "pino";
import type { FinalFrame } from "./session/node-input.ts";
import type { Spool, SpoolRecord } from "./spool/spool.ts";
import { type UploadOutcome, upload } from "./upload.ts";

/** Which pictures of an attempt go where: those numbers, or all where `missing` is null. */
export interface UploadOrder {
  readonly attemptId: string;
  readonly uploadUrl: string | null;
  readonly missing: readonly number[] | null;
}

/** Results that are on the disk of the node and not acknowledged yet: uploads their pictures, and removes them once they are delivered. */
export class FinishedResults {
  readonly #spool: Spool;
  readonly #tracing: Tracing;
  readonly #logger: Logger;
  /** Makes the server's URLs absolute. */
  readonly #resolveUrl: (url: string) => string;
  readonly #records = new Map<string, SpoolRecord>();
  /** From the disk of the node to the server's acknowledgement. */
  readonly #deliveries = new Map<string, Span>();
  readonly #uploads = new Map<string, AbortController>();
  readonly #removals = new Set<Promise<void>>();

  constructor(options: {
    readonly spool: Spool;
    readonly tracing: Tracing;
    readonly logger: Logger;
    readonly resolveUrl: (url: string) => string;
  }) {
    this.#spool = options.spool;
    this.#tracing = options.tracing;
    this.#logger = options.logger;
    this.#resolveUrl = options.resolveUrl;
  }

  /** A result is on the disk. */
  keep(record: SpoolRecord): void {
    const { attemptId } = record.final;
    this.#records.set(attemptId, record);
    const span = this.#tracing.start("deliver the result", {
      parent: record.traceparent,
      attributes: { "genai.attempt.id": attemptId },
    });
    this.#deliveries.set(attemptId, span);
  }

  get(attemptId: string): FinalFrame | undefined {
    return this.#records.get(attemptId)?.final;
  }

  /** Uploads pictures. False where that has to be tried again; null where an upload of the same attempt is under way, whose end is
   *  told to whoever began it. What the server does not want counts as uploaded: it says so in its answer to the result. */
  async upload({ attemptId, uploadUrl, missing }: UploadOrder): Promise<boolean | null> {
    const { final, traceparent } = this.#records.get(attemptId) ?? { final: null, traceparent: null };
    if (final?.type !== "result" || uploadUrl === null) return true;
    if (this.#uploads.has(attemptId)) return null;
    const controller = new AbortController();
    this.#uploads.set(attemptId, controller);
    try {
      for (const n of missing ?? final.artifacts.keys()) {
        const outcome = await this.#uploadOne(final, n, { uploadUrl, traceparent, signal: controller.signal });
        if (outcome === "refused") return true;
        if (outcome === "failed") {
          this.#logger.warn({ attemptId, n }, "an upload failed; it is tried again later");
          return false;
        }
      }
    } catch (error) {
      this.#logger.error({ err: error, attemptId }, "a kept picture can't be read");
    } finally {
      this.#uploads.delete(attemptId);
    }
    return true;
  }

  /** It is delivered, or nobody wants it: removes it from the disk, and stops its upload. */
  forget(attemptId: string): void {
    this.#uploads.get(attemptId)?.abort();
    this.#records.delete(attemptId);
    this.#deliveries.get(attemptId)?.end();
    this.#deliveries.delete(attemptId);
    const removal = this.#spool
      .remove(attemptId)
      .catch((error: unknown) => {
        this.#logger.warn({ err: error, attemptId }, "a delivered result could not be removed");
      })
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  /** Resolves when nothing is being removed any more. */
  async removed(): Promise<void> {
    await Promise.all(this.#removals);
  }

  async #uploadOne(
    { attemptId, artifacts }: ResultFrame,
    n: number,
    options: { readonly uploadUrl: string; readonly traceparent: string | null; readonly signal: AbortSignal },
  ): Promise<UploadOutcome> {
    const artifact = artifacts[n];
    if (artifact === undefined) return "uploaded";
    const url = this.#resolveUrl(options.uploadUrl.replace("{n}", String(n)));
    const span = this.#tracing.start("upload", {
      parent: options.traceparent,
      kind: "client",
      attributes: { "genai.attempt.id": attemptId, "genai.artifact": n, "genai.bytes": artifact.bytes },
    });
    let outcome: UploadOutcome = "failed";
    try {
      const path = this.#spool.artifactPath(attemptId, n);
      outcome = await upload(path, url, { ...artifact, traceparent: span.traceparent }, options.signal);
      return outcome;
    } finally {
      span.end({ failure: outcome === "uploaded" ? null : outcome });
    }
  }
}
