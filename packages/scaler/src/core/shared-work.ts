import { ScalerError } from "./scaler-error.ts";

interface Running<T> {
  readonly result: Promise<T>;
  readonly abort: AbortController;
  callers: number;
}

/** Runs work once per key: callers that ask for work in progress share it. Work is aborted when the last of its callers has gone, and keeps its key until
 *  it has ended. A caller that arrives in between waits for that end, because new work would find what the aborted work is about to undo. */
export class SharedWork<T> {
  readonly #running = new Map<string, Running<T>>();

  /** `signal` is the caller's; null: a caller that never goes. Throws `canceled` once it is aborted, whatever the work does. */
  async run(key: string, signal: AbortSignal | null, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (;;) {
      if (signal?.aborted) throw callerGone();
      const running = this.#running.get(key) ?? this.#start(key, work);
      if (!running.abort.signal.aborted) return this.#share(running, signal);
      await unlessGone(
        running.result.catch(() => {}),
        signal,
      );
    }
  }

  async #share(running: Running<T>, signal: AbortSignal | null): Promise<T> {
    running.callers += 1;
    try {
      return await unlessGone(running.result, signal);
    } finally {
      running.callers -= 1;
      if (running.callers === 0) running.abort.abort();
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>): Running<T> {
    const abort = new AbortController();
    const result = work(abort.signal).finally(() => this.#running.delete(key));
    // Every caller may have gone when it fails; each of those that stayed hears of it through its own await.
    result.catch(() => {});
    const running: Running<T> = { result, abort, callers: 0 };
    this.#running.set(key, running);
    return running;
  }
}

/** What a promise gives, or `canceled` as soon as its caller has gone. */
function unlessGone<R>(promise: Promise<R>, signal: AbortSignal | null): Promise<R> {
  if (!signal) return promise;
  return new Promise<R>((resolve, reject) => {
    const leave = () => reject(callerGone());
    signal.addEventListener("abort", leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}

function callerGone(): ScalerError {
  return new ScalerError("canceled", "The caller went away.");
}
