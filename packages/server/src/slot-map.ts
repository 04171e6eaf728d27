/** A map for entries that come and go all the time. A deleted value can be collected at once.
 *
 *  With V8's own `Map` and `Set` that is not so. When one grows, shrinks or is compacted, it moves to a new table, and the old table keeps a
 *  pointer to the new one along with all of its entries. Once a table has reached the old generation, it keeps every later table alive until
 *  the next full collection, with everything that their entries refer to. On a busy server that was 10 KB per task, including requests and
 *  their sockets' buffers, promoted to the old generation long after the task had ended. Here the entries of the `Map` refer only to a
 *  number. */
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
