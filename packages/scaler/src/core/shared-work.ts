import { ScalerError } from "./scaler-error.ts";

interface Running<T> {
  readonly result: Promise<T>;
  readonly abort: AbortController;
  callers: number;
}

/** Work by key: who asks for what is under way already shares it. It is aborted when the last of its callers has gone. */
export class SharedWork<T> {
  readonly #running = new Map<string, Running<T>>();

  /** `signal` is the caller's; null: a caller that never goes. Throws `canceled` once it is aborted, whatever the work does. */
  async run(key: string, signal: AbortSignal | null, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const running = this.#running.get(key) ?? this.#start(key, work);
    running.callers += 1;
    if (!signal) return running.result;
    return new Promise<T>((resolve, reject) => {
      const leave = () => {
        running.callers -= 1;
        if (running.callers === 0) this.#abandon(key, running);
        reject(new ScalerError("canceled", "The caller went away."));
      };
      signal.addEventListener("abort", leave, { once: true });
      running.result.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
    });
  }

  #abandon(key: string, running: Running<T>): void {
    if (this.#running.get(key) === running) this.#running.delete(key);
    running.abort.abort();
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>): Running<T> {
    const abort = new AbortController();
    const result = work(abort.signal).finally(() => {
      if (this.#running.get(key) === running) this.#running.delete(key);
    });
    // Every caller may have gone when it fails; each of those that stayed hears of it through its own await.
    result.catch(() => {});
    const running: Running<T> = { result, abort, callers: 0 };
    this.#running.set(key, running);
    return running;
  }
}
