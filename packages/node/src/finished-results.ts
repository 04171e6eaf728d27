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
  readonly #uploads = new Map<string, { readonly uploadUrl: string; readonly controller: AbortController }>();
  /** Records that are being written again, by attempt. */
  readonly #writes = new Map<string, Promise<void>>();
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

  /** Uploads pictures. `failed` and `busy` (the server can't take them at present) have to be tried again; null where another upload of the same attempt is under way, whose end is told
   *  to whoever began it, or where it was stopped. A fresh URL stops an upload to an earlier one. What the server does not want counts as
   *  uploaded: it says so in its answer to the result. */
  async upload({ attemptId, uploadUrl, missing }: UploadOrder): Promise<"uploaded" | "failed" | "busy" | null> {
    const record = this.#records.get(attemptId);
    if (record?.final.type !== "result" || uploadUrl === null) return "uploaded";
    const { final, traceparent } = record;
    const underWay = this.#uploads.get(attemptId);
    if (underWay?.uploadUrl === uploadUrl) return null;
    underWay?.controller.abort();
    const controller = new AbortController();
    const { signal } = controller;
    this.#uploads.set(attemptId, { uploadUrl, controller });
    try {
      await this.#keepUrl({ ...record, uploadUrl });
      for (const n of missing ?? final.artifacts.keys()) {
        if (signal.aborted) return null;
        const url = this.#resolveUrl(uploadUrl.replace("{n}", String(n)));
        const outcome = await this.#uploadOne(final, n, { url, traceparent, signal });
        if (signal.aborted) return null;
        if (outcome.type === "uploaded") continue;
        const facts = { attemptId, n, host: new URL(url).origin, reason: outcome.reason };
        if (outcome.type === "refused") {
          this.#logger.warn(facts, "an upload was refused; the server is asked about it");
          return "uploaded";
        }
        this.#logger.warn(facts, "an upload failed; it is tried again later");
        return outcome.type;
      }
    } catch (error) {
      if (signal.aborted) return null;
      this.#logger.error({ err: error, attemptId }, "a kept picture can't be read");
    } finally {
      if (this.#uploads.get(attemptId)?.controller === controller) this.#uploads.delete(attemptId);
    }
    return "uploaded";
  }

  /** It is delivered, or nobody wants it: removes it from the disk, and stops its upload. */
  forget(attemptId: string): void {
    this.#uploads.get(attemptId)?.controller.abort();
    this.#records.delete(attemptId);
    this.#deliveries.get(attemptId)?.end();
    this.#deliveries.delete(attemptId);
    const written = this.#writes.get(attemptId) ?? Promise.resolve();
    this.#writes.delete(attemptId);
    const removal = written
      .then(() => this.#spool.remove(attemptId))
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

  /** Writes a record with another URL than it has on the disk, so that the next process begins with that. */
  async #keepUrl(record: SpoolRecord): Promise<void> {
    const { attemptId } = record.final;
    if (this.#records.get(attemptId)?.uploadUrl === record.uploadUrl) return;
    this.#records.set(attemptId, record);
    const before = this.#writes.get(attemptId) ?? Promise.resolve();
    const write = before
      .then(() => this.#spool.writeRecord(attemptId, record))
      .catch((error: unknown) => {
        // This process has it in memory, and the next one asks for another.
        this.#logger.warn({ err: error, attemptId }, "a fresh upload URL could not be written to the disk");
      });
    this.#writes.set(attemptId, write);
    await write;
  }

  async #uploadOne(
    { attemptId, artifacts }: ResultFrame,
    n: number,
    options: { readonly url: string; readonly traceparent: string | null; readonly signal: AbortSignal },
  ): Promise<UploadOutcome> {
    const artifact = artifacts[n];
    if (artifact === undefined) return { type: "uploaded" };
    const span = this.#tracing.start("upload", {
      parent: options.traceparent,
      kind: "client",
      attributes: { "genai.attempt.id": attemptId, "genai.artifact": n, "genai.bytes": artifact.bytes },
    });
    let failure: Exclude<UploadOutcome["type"], "uploaded"> | null = "failed";
    try {
      const path = this.#spool.artifactPath(attemptId, n);
      const outcome = await upload(path, options.url, { ...artifact, traceparent: span.traceparent }, options.signal);
      failure = outcome.type === "uploaded" ? null : outcome.type;
      return outcome;
    } finally {
      span.end({ failure });
    }
  }
}
