interface Entry {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
}

/** What is going to happen, by its time; ties in the order of planning. A binary heap. */
export class EventQueue {
  readonly #heap: Entry[] = [];
  #sequence = 0;

  /** When the next is due; Infinity where there is none. */
  get nextAtMs(): number {
    return this.#heap[0]?.atMs ?? Infinity;
  }

  add(atMs: number, run: () => void): void {
    const entry = { atMs, sequence: ++this.#sequence, run };
    const heap = this.#heap;
    let place = heap.push(entry) - 1;
    while (place > 0) {
      const parent = (place - 1) >>> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(entry, above)) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = entry;
  }

  /** Takes out the next and returns what it does. */
  take(): (() => void) | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first?.run;
    let place = 0;
    for (;;) {
      const left = heap[2 * place + 1];
      const right = heap[2 * place + 2];
      if (left === undefined) break;
      const [least, at] = right !== undefined && isBefore(right, left) ? [right, 2 * place + 2] : [left, 2 * place + 1];
      if (!isBefore(least, last)) break;
      heap[place] = least;
      place = at;
    }
    heap[place] = last;
    return first.run;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs - b.atMs < 0 || (a.atMs === b.atMs && a.sequence < b.sequence);
}
