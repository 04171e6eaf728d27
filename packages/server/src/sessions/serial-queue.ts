/** What a queue has in hand: the job that runs, unless it was done at once, and those that wait. */
export interface InHand {
  readonly waiting: number;
  /** Of all of them together, the one that runs included. */
  readonly size: number;
}

type Job = () => void | Promise<void>;

/** Runs jobs one after the other, in the order of their coming. A job that needs no waiting runs at once when nothing is before it. */
export class SerialQueue {
  readonly #waiting: { readonly job: Job; readonly size: number }[] = [];
  readonly #onChange: (inHand: InHand) => void;
  readonly #onError: (error: unknown) => void;
  #busy = false;
  #size = 0;

  /** `onChange` hears each time that what is in hand changes, `onError` what a job threw; the next one runs all the same. */
  constructor(onChange: (inHand: InHand) => void, onError: (error: unknown) => void) {
    this.#onChange = onChange;
    this.#onError = onError;
  }

  /** True while a job runs or waits. */
  get isBusy(): boolean {
    return this.#busy;
  }

  /** `size`: what the job keeps in memory until it is done, in a unit of the caller's. */
  run(job: Job, size = 0): void {
    if (this.#busy) {
      this.#waiting.push({ job, size });
      this.#changed(size);
      return;
    }
    const unfinished = this.#start(job);
    if (unfinished !== null) void this.#continueAfter(unfinished, size);
  }

  /** Null where the job was done at once. */
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
