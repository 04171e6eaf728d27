/** Runs jobs one after the other, in the order of their coming. A job that needs no waiting runs at once when nothing is before it. */
export class SerialQueue {
  readonly #waiting: (() => void | Promise<void>)[] = [];
  readonly #onLength: (length: number) => void;
  readonly #onError: (error: unknown) => void;
  #busy = false;

  /** `onLength` hears how many jobs wait each time that this changes, `onError` what a job threw; the next one runs all the same. */
  constructor(onLength: (length: number) => void, onError: (error: unknown) => void) {
    this.#onLength = onLength;
    this.#onError = onError;
  }

  /** True while a job runs or waits. */
  get isBusy(): boolean {
    return this.#busy;
  }

  run(job: () => void | Promise<void>): void {
    if (this.#busy) {
      this.#waiting.push(job);
      this.#onLength(this.#waiting.length);
      return;
    }
    const unfinished = this.#start(job);
    if (unfinished !== null) void this.#continueAfter(unfinished);
  }

  /** Null where the job was done at once. */
  #start(job: () => void | Promise<void>): Promise<void> | null {
    try {
      return job() ?? null;
    } catch (error) {
      this.#onError(error);
      return null;
    }
  }

  async #continueAfter(first: Promise<void>): Promise<void> {
    this.#busy = true;
    let unfinished: Promise<void> | null = first;
    for (;;) {
      if (unfinished !== null) await unfinished.catch(this.#onError);
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#onLength(this.#waiting.length);
      unfinished = this.#start(next);
    }
    this.#busy = false;
  }
}
