/** A map of what comes and goes all the time. What is deleted from it is free at once.
 *
 *  Of V8's own `Map` and `Set` it is not: where one grows, shrinks or is cleaned it goes on in a new table, and the old one keeps a pointer
 *  to the new one and all entries of that moment. Once a table has come into the old generation, each later one is kept by the one
 *  before it until the next full collection, with everything that its entries lead to: of a busy server 10 KB for each task, requests
 *  and their sockets' buffers included, which the collector carried into the old generation long after the task's end. Here the `Map`'s
 *  own entries lead to nothing but a number. */
export class SlotMap<Key extends string | number, Value> {
  readonly #slots = new Map<Key, number>();
  readonly #values: (Value | undefined)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#slots.size;
  }

  has(key: Key): boolean {
    return this.#slots.has(key);
  }

  get(key: Key): Value | undefined {
    const slot = this.#slots.get(key);
    return slot === undefined ? undefined : this.#values[slot];
  }

  set(key: Key, value: Value): void {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = this.#free.pop() ?? this.#values.length;
      this.#slots.set(key, slot);
    }
    this.#values[slot] = value;
  }

  delete(key: Key): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined) return false;
    this.#slots.delete(key);
    this.#values[slot] = undefined;
    this.#free.push(slot);
    return true;
  }

  clear(): void {
    this.#slots.clear();
    this.#values.length = 0;
    this.#free.length = 0;
  }

  /** In the order in which their keys were added. May be changed meanwhile, as a `Map` may. */
  *values(): Generator<Value> {
    for (const slot of this.#slots.values()) yield this.#values[slot] as Value;
  }
}
