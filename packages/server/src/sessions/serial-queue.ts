/** The work of a queue: the job that is running, unless it finished synchronously, and those that wait. */
export interface InHand {
  readonly waiting: number;
  /** The total size, including the job that is running. */
  readonly size: number;
}

type Job = () => void | Promise<void>;

/** Runs jobs one after the other, in order of arrival. With nothing ahead of it, a job starts synchronously. */
export class SerialQueue {
  readonly #waiting: { readonly job: Job; readonly size: number }[] = [];
  readonly #onChange: (inHand: InHand) => void;
  readonly #onError: (error: unknown) => void;
  #busy = false;
  #size = 0;

  /** `onChange` is called whenever the work in hand changes, `onError` with what a job threw; the next job runs regardless. */
  constructor(onChange: (inHand: InHand) => void, onError: (error: unknown) => void) {
    this.#onChange = onChange;
    this.#onError = onError;
  }

  /** True while a job runs or waits. */
  get isBusy(): boolean {
    return this.#busy;
  }

  /** `size` is what the job keeps in memory until it is done, in a unit of the caller's choice. */
  run(job: Job, size = 0): void {
    if (this.#busy) {
      this.#waiting.push({ job, size });
      this.#changed(size);
      return;
    }
    const unfinished = this.#start(job);
    if (unfinished !== null) void this.#continueAfter(unfinished, size);
  }

  /** Null where the job finished synchronously. */
  #start(job: Job): Promise<void> | null {
    try {
      return job() ?? null;
    } catch (error) {
      this.#onError(error);
      return null;
    }
  }

  async #continueAfter(first: Promise<void>, firstSize: number): Promise<void> {
    this.#busy = true;
    this.#changed(firstSize);
    let unfinished: Promise<void> | null = first;
    let size = firstSize;
    for (;;) {
      if (unfinished !== null) await unfinished.catch(this.#onError);
      const next = this.#waiting.shift();
      this.#changed(-size);
      if (next === undefined) break;
      unfinished = this.#start(next.job);
      size = next.size;
    }
    this.#busy = false;
  }

  #changed(size: number): void {
    this.#size += size;
    this.#onChange({ waiting: this.#waiting.length, size: this.#size });
  }
}
