import type { Logger } from "pino";
import type { Scaler } from "./core/scaler.ts";

/** Sweeps at once and then `intervalMs` after each sweep's end, until it is closed. */
export class Sweeper {
  readonly #scaler: Scaler;
  readonly #log: Logger;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(scaler: Scaler, log: Logger, intervalMs: number) {
    this.#scaler = scaler;
    this.#log = log;
    this.#intervalMs = intervalMs;
    void this.#sweep();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  async #sweep(): Promise<void> {
    try {
      for (const sentence of await this.#scaler.sweep()) this.#log.info(sentence);
    } catch (error) {
      this.#log.error({ err: error }, "The sweep failed; it will be tried again");
    }
    if (!this.#closed) this.#timer = setTimeout(() => void this.#sweep(), this.#intervalMs);
  }
}
