import { EngineHttpError } from "./engine-http-error.ts";

export interface WatchedCallOptions {
  /** Pause between two looks at the engine while the call runs, in milliseconds. Default 1 000. */
  readonly pollMs: number;
  /** Timeout of one look, in milliseconds. Default 8 000: an engine that loads a model may not answer for seconds. */
  readonly lookMs: number;
  /** How long the engine may answer nothing before it counts as down, in milliseconds. Default 20 000: with the timeout of a look on top this is
   *  noticed within 30 s. */
  readonly silenceMs: number;
  /** How long the call may go on after the engine was told to stop, in milliseconds. Default 10 000. */
  readonly cancelMs: number;
}

export const WATCH_DEFAULTS: WatchedCallOptions = { pollMs: 1_000, lookMs: 8_000, silenceMs: 20_000, cancelMs: 10_000 };

/** Makes one long call to an engine, and meanwhile checks that the engine is still alive and tells it to stop when the signal fires. Rejects as the
 *  call does; with {@link EngineHttpError} if the engine is silent. */
export async function watchedCall<T>(
  work: {
    readonly call: (signal: AbortSignal) => Promise<T>;
    /** Looks at the engine. A rejection is silence; so an answer of any kind must not reject. */
    readonly look: (signal: AbortSignal) => Promise<void>;
    /** Tells the engine to stop; called after each look until the call has ended. */
    readonly interrupt: (signal: AbortSignal) => Promise<void>;
  },
  signal: AbortSignal,
  options: WatchedCallOptions,
): Promise<T> {
  const end = new AbortController();
  const watching = watch(work, signal, end, options);
  try {
    return await work.call(end.signal);
  } catch (error) {
    throw end.signal.aborted ? end.signal.reason : error;
  } finally {
    end.abort();
    await watching;
  }
}

async function watch(
  { look, interrupt }: Pick<Parameters<typeof watchedCall>[0], "look" | "interrupt">,
  signal: AbortSignal,
  end: AbortController,
  { pollMs, lookMs, silenceMs, cancelMs }: WatchedCallOptions,
): Promise<void> {
  let heardAtMs = performance.now();
  let stopAtMs = Number.POSITIVE_INFINITY;
  for (;;) {
    await wakeAfter(pollMs, signal.aborted ? [end.signal] : [end.signal, signal]);
    if (end.signal.aborted) return;
    if (signal.aborted && stopAtMs === Number.POSITIVE_INFINITY) stopAtMs = performance.now() + cancelMs;
    const limit = AbortSignal.any([end.signal, AbortSignal.timeout(lookMs)]);
    try {
      await look(limit);
      if (signal.aborted) await interrupt(limit);
      heardAtMs = performance.now();
    } catch {
      // No answer. How long that may last is decided below.
    }
    if (end.signal.aborted) return;
    const nowMs = performance.now();
    if (nowMs >= stopAtMs) end.abort(new Error("stopped"));
    else if (nowMs - heardAtMs >= silenceMs)
      end.abort(new EngineHttpError(`The engine has been silent for ${silenceMs} ms.`, "unreachable"));
  }
}

/** Resolves after a time, or when one of the signals fires. */
function wakeAfter(ms: number, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    for (const signal of signals) signal.addEventListener("abort", wake, { once: true });
    if (signals.some(({ aborted }) => aborted)) wake();
  });
}
