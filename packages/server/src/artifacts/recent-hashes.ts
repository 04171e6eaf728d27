/** Hashes kept, of the artifacts that were put or asked for last. */
const HASHES_MAX = 10_000;

/** Hashes of artifacts that were computed lately, by key. */
export class RecentHashes {
  readonly #byKey = new Map<string, string>();

  of(key: string): string | undefined {
    return this.#byKey.get(key);
  }

  keep(key: string, sha256: string): void {
    this.#byKey.set(key, sha256);
    if (this.#byKey.size <= HASHES_MAX) return;
    const oldest = this.#byKey.keys().next();
    if (!oldest.done) this.#byKey.delete(oldest.value);
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }
}
