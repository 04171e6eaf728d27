import { rm } from "node:fs/promises";
import type { AttemptId, ErrorFrame, ResultArtifact } from "@genai/protocol";
import { NO_SPAN, type Span, type Tracing } from "@genai/tracing";
import type { Logger } from "pino";
import type { Engine, EngineOutcome } from "./engines/engine.ts";
import { nodeFault, taskFault } from "./engines/failed-outcome.ts";
import { TaskRefused } from "./engines/task-refused.ts";
import { fetchPipeline } from "./fetch-pipeline.ts";
import type { AttemptOrder, FinalFrame, PreviewMime } from "./session/node-input.ts";
import type { Spool, SpoolRecord } from "./spool/spool.ts";

/** Receives what happens to attempts. */
export interface RunnerReport {
  progressed(attemptId: string, value: number, stage: string): void;
  previewed(attemptId: string, mime: PreviewMime, bytes: Uint8Array): void;
  /** The result is on disk. Its `traceparent` is that of the run's span, from which the delivery continues. */
  finished(record: SpoolRecord): void;
  /** It stopped because it was told to. */
  stopped(attemptId: string): void;
  /** The engine went down during an attempt; called before `finished`. */
  engineDown(): void;
}

/** How long the engine may take to stop its runs when the node exits. */
const LET_GO_MS = 12_000;

/** Runs attempts on the engine and writes their outcome to disk. */
export class AttemptRunner {
  readonly #engine: Engine;
  readonly #spool: Spool;
  readonly #report: RunnerReport;
  readonly #logger: Logger;
  readonly #tracing: Tracing;
  readonly #running = new Map<string, { readonly controller: AbortController; readonly ended: Promise<void> }>();

  constructor(engine: Engine, spool: Spool, report: RunnerReport, logger: Logger, tracing: Tracing) {
    this.#engine = engine;
    this.#spool = spool;
    this.#report = report;
    this.#logger = logger;
    this.#tracing = tracing;
  }

  /** Starts an attempt; its end comes through the report. `resolveUrl` makes the server's URLs absolute. */
  start(order: AttemptOrder, resolveUrl: (url: string) => string): void {
    const controller = new AbortController();
    const ended = this.#run(order, resolveUrl, controller.signal).finally(() => this.#running.delete(order.attemptId));
    this.#running.set(order.attemptId, { controller, ended });
  }

  abort(attemptId: string): void {
    this.#running.get(attemptId)?.controller.abort();
  }

  /** Stops everything and resolves when the engine has stopped. */
  async close(): Promise<void> {
    const running = [...this.#running.values()];
    for (const { controller } of running) controller.abort();
    // Its sockets are needed until the engine has been told to stop.
    const limit = new Promise((resolve) => setTimeout(resolve, LET_GO_MS).unref());
    await Promise.race([Promise.all(running.map(({ ended }) => ended)), limit]);
    await this.#engine.free();
  }

  async #run(order: AttemptOrder, resolveUrl: (url: string) => string, signal: AbortSignal): Promise<void> {
    const { attemptId } = order;
    const startedMs = performance.now();
    this.#logger.info({ attemptId }, "attempt started");
    const span = this.#tracing.start("run the attempt", {
      parent: order.traceparent,
      kind: "consumer",
      attributes: { "genai.attempt.id": attemptId },
    });
    const outcome = await this.#outcome(order, resolveUrl, signal, span);
    const tookMs = Math.round(performance.now() - startedMs);
    if (outcome.type === "canceled") {
      this.#logger.info({ attemptId, tookMs }, "attempt stopped");
      span.end({ attributes: { "genai.outcome": "stopped" } });
      this.#report.stopped(attemptId);
      return;
    }
    if (outcome.type === "failed" && outcome.code === "engine_down") this.#report.engineDown();
    const aside = outcome.type === "failed" ? outcome.detail : outcome.warnings;
    if (aside !== undefined && aside !== "") this.#logger.warn({ attemptId, aside }, "the engine said beside it");
    const final = await this.#keep(order, outcome, span.traceparent);
    span.end(
      final.type === "error" ? { failure: final.code } : { attributes: { "genai.artifacts": final.artifacts.length } },
    );
    const how = final.type === "error" ? { code: final.code } : { artifacts: final.artifacts.length };
    this.#logger.info({ attemptId, tookMs, ...how }, final.type === "error" ? "attempt failed" : "attempt succeeded");
    this.#report.finished({ final, uploadUrl: order.uploadUrl, traceparent: span.traceparent });
  }

  async #outcome(
    order: AttemptOrder,
    resolveUrl: (url: string) => string,
    signal: AbortSignal,
    run: Span,
  ): Promise<EngineOutcome> {
    let span = NO_SPAN;
    try {
      const { attemptId, limitMs, pipeline } = order;
      const work =
        pipeline === null
          ? await fetchPipeline(resolveUrl(order.pipelineUrl ?? ""), this.#spool.inputFolder(attemptId), signal)
          : { pipeline };
      const { type } = work.pipeline;
      span = this.#tracing.start("engine", { parent: run.traceparent, attributes: { "genai.pipeline": type } });
      const outcome = await this.#engine.run(
        { attemptId, limitMs, ...work },
        {
          progress: (value, stage) => this.#report.progressed(attemptId, value, stage),
          preview: (mime, bytes) => this.#report.previewed(attemptId, mime, bytes),
        },
        signal,
      );
      span.end({ failure: outcome.type === "failed" ? outcome.code : null });
      // Nobody here asked for that: silence would leave the server waiting.
      if (outcome.type === "canceled" && !signal.aborted)
        return nodeFault("interrupted", "The engine stopped the task by itself.");
      return outcome;
    } catch (error) {
      if (error instanceof TaskRefused) return taskFault(error.message);
      if (signal.aborted) return { type: "canceled" };
      this.#logger.error({ err: error, attemptId: order.attemptId }, "the engine's driver failed");
      const message = error instanceof Error ? error.message : String(error);
      return nodeFault("engine_error", message);
    } finally {
      span.end({ failure: "engine_error" });
      await this.#spool.removeInputs(order.attemptId).catch((error: unknown) => {
        this.#logger.warn({ err: error, attemptId: order.attemptId }, "input pictures could not be removed");
      });
    }
  }

  /** Writes the outcome to disk. If that fails, the outcome is a node fault, kept in memory only. */
  async #keep(
    order: AttemptOrder,
    outcome: Exclude<EngineOutcome, { type: "canceled" }>,
    traceparent: string | null,
  ): Promise<FinalFrame> {
    const attemptId = order.attemptId as AttemptId;
    let final: FinalFrame;
    try {
      if (outcome.type === "failed") {
        final = errorFrame(attemptId, outcome);
      } else {
        const artifacts: ResultArtifact[] = [];
        for (const [n, { body, mime, ...rest }] of outcome.artifacts.entries()) {
          artifacts.push({ ...(await this.#spool.writeArtifact(attemptId, n, body)), mime, ...rest });
        }
        final = { type: "result", attemptId, artifacts, metrics: outcome.metrics };
      }
      await this.#spool.writeRecord(attemptId, { final, uploadUrl: order.uploadUrl, traceparent });
      return final;
    } catch (error) {
      this.#logger.error({ err: error, attemptId }, "the result could not be written to the disk");
      await this.#discard(attemptId, outcome);
      const message = `The node could not keep the result: ${error instanceof Error ? error.message : String(error)}`;
      return errorFrame(attemptId, { fault: "node", code: "node_disk", message });
    }
  }

  /** Removes the files of a result that could not be written completely. */
  async #discard(attemptId: string, outcome: Exclude<EngineOutcome, { type: "canceled" }>): Promise<void> {
    const files =
      outcome.type === "failed" ? [] : outcome.artifacts.flatMap(({ body }) => ("file" in body ? [body.file] : []));
    try {
      for (const file of files) await rm(file, { force: true });
      await this.#spool.remove(attemptId);
    } catch (error) {
      this.#logger.warn({ err: error, attemptId }, "what was written of it could not be removed");
    }
  }
}

function errorFrame(
  attemptId: AttemptId,
  failure: { fault: "task" | "node"; code: string; message: string },
): ErrorFrame {
  const { code, message, fault } = failure;
  return {
    type: "error",
    attemptId,
    code: code.slice(0, 64),
    message: message.slice(0, 10_000),
    retryable: fault === "node",
  };
}
