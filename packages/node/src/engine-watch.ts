import type { Capabilities } from "@genai/protocol";
import type { Logger } from "pino";
import type { Engine, EngineProbe } from "./engines/engine.ts";

export interface EngineWatchOptions {
  readonly engine: Engine;
  /** What the node offers with the engine as it is. */
  readonly describe: (probe: EngineProbe) => Capabilities;
  /** Whether a task runs: then nobody looks, for a busy engine may be slow to answer, and the run itself notices a dead one. */
  readonly isBusy: () => boolean;
  readonly changed: (capabilities: Capabilities) => void;
  readonly logger: Logger;
}

/** How often the engine is asked what it can do: often while it is not up. Milliseconds. */
const PROBE_EVERY_MS = { ready: 30_000, unready: 3_000 };
const PROBE_TIMEOUT_MS = 20_000;
/** How often an engine that is still not up is worth a line in the log, in milliseconds. */
const SAY_EVERY_MS = 60_000;

/** Asks the engine again and again what it can do, and tells when that changes. */
export class EngineWatch {
  readonly #options: EngineWatchOptions;
  readonly #closed = new AbortController();
  #capabilities: Capabilities;
  #timer: NodeJS.Timeout | undefined;
  #saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: EngineWatchOptions) {
    this.#options = options;
    this.#capabilities = options.describe({ state: "unready", reason: "not asked yet" });
  }

  /** The first look. Goes on looking afterwards. Throws the reason of `signal` where that cuts it off. */
  async start(signal: AbortSignal): Promise<Capabilities> {
    const probe = await this.#probe(signal);
    signal.throwIfAborted();
    this.#take(this.#options.describe(probe));
    this.#later();
    return this.#capabilities;
  }

  get capabilities(): Capabilities {
    return this.#capabilities;
  }

  /** The engine was found down by a task: the node offers nothing until it answers again. */
  engineDown(): void {
    this.#take(this.#options.describe({ state: "unready", reason: "it went away under a task" }));
    this.#later();
  }

  close(): void {
    this.#closed.abort();
    clearTimeout(this.#timer);
  }

  #later(): void {
    clearTimeout(this.#timer);
    const afterMs = this.#capabilities.ready ? PROBE_EVERY_MS.ready : PROBE_EVERY_MS.unready;
    this.#timer = setTimeout(() => void this.#look(), afterMs);
  }

  async #look(): Promise<void> {
    if (!this.#options.isBusy() || !this.#capabilities.ready) {
      this.#take(this.#options.describe(await this.#probe(this.#closed.signal)));
    }
    if (!this.#closed.signal.aborted) this.#later();
  }

  async #probe(signal: AbortSignal): Promise<EngineProbe> {
    const { engine, logger } = this.#options;
    const probe = await engine.probe(AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]));
    const nowMs = performance.now();
    if (probe.state === "unready" && !signal.aborted && nowMs - this.#saidAtMs >= SAY_EVERY_MS) {
      this.#saidAtMs = nowMs;
      logger.warn({ engine: engine.type, reason: probe.reason }, "the engine is not ready; waiting for it");
    }
    return probe;
  }

  #take(now: Capabilities): void {
    if (this.#closed.signal.aborted || JSON.stringify(now) === JSON.stringify(this.#capabilities)) return;
    this.#capabilities = now;
    const { ready, engineVersion, warmModel, models, gpuType } = now;
    if (ready) this.#saidAtMs = Number.NEGATIVE_INFINITY;
    this.#options.logger.info(
      { ready, engineVersion, warmModel, models: models.length, gpuType },
      "the engine changed",
    );
    this.#options.changed(now);
  }
}
