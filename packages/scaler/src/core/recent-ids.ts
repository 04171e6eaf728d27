/** The ids seen last, as many as `idsMax`; the oldest go first. */
export class RecentIds {
  readonly #idsMax: number;
  readonly #ids = new Set<string>();

  constructor(idsMax: number) {
    this.#idsMax = idsMax;
  }

  add(id: string): void {
    this.#ids.delete(id);
    this.#ids.add(id);
    if (this.#ids.size <= this.#idsMax) return;
    const [oldest] = this.#ids;
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  delete(id: string): void {
    this.#ids.delete(id);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }
}
