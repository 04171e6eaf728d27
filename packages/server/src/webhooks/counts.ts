/** How many there are of each name; names without any are forgotten. */
export class Counts {
  readonly #counts = new Map<string, number>();

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  add(name: string): void {
    this.#counts.set(name, this.of(name) + 1);
  }

  remove(name: string): void {
    const rest = this.of(name) - 1;
    if (rest > 0) this.#counts.set(name, rest);
    else this.#counts.delete(name);
  }
}
