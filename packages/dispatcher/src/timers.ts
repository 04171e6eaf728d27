import { OrderedIndex } from "./ordered-index.ts";

/** What can be put into {@link Timers}. `atMs` is Infinity while it is not armed. */
export interface Timed {
  atMs: number;
  /** Order of arming. */
  sequence: number;
}

/** Everything that waits for a point in time, in order of it; ties in the order of arming. */
export class Timers<T extends Timed> {
  readonly #due = new OrderedIndex<T>(
    (a, b) => a.atMs - b.atMs || a.sequence - b.sequence,
    () => 0,
  );
  #sequence = 0;

  get size(): number {
    return this.#due.size;
  }

  /** Arms a timer, or moves it. */
  set(timer: T, atMs: number): void {
    this.clear(timer);
    timer.atMs = atMs;
    timer.sequence = ++this.#sequence;
    this.#due.add(timer);
  }

  clear(timer: T | null): void {
    if (timer === null || timer.atMs === Infinity) return;
    this.#due.delete(timer);
    timer.atMs = Infinity;
  }

  /** When the earliest is due, or null. */
  nextAtMs(): number | null {
    return this.#due.first()?.atMs ?? null;
  }

  /** Takes out the earliest one that is due by `nowMs`. */
  takeDue(nowMs: number): T | null {
    const timer = this.#due.first();
    if (timer === undefined || timer.atMs > nowMs) return null;
    this.clear(timer);
    return timer;
  }
}
