import type { Logger } from "pino";
import type { ArtifactStore } from "./artifact-store.ts";

/** Removes pictures that no result names, as soon as their attempt ends. What a fault leaves behind is for `StrayPictures`. */
export class UploadRemover {
  readonly #artifacts: Pick<ArtifactStore, "delete">;
  readonly #logger: Logger;
  readonly #againMs: number | null;
  readonly #timers = new Set<NodeJS.Timeout>();

  /** `againMs`: nodes may put a picture by themselves for so long after they asked where, so it is removed once more then. */
  constructor(artifacts: Pick<ArtifactStore, "delete">, logger: Logger, againMs: number | null) {
    this.#artifacts = artifacts;
    this.#logger = logger;
    this.#againMs = againMs;
  }

  remove(keys: readonly string[]): void {
    this.#delete(keys);
    if (this.#againMs === null) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#delete(keys);
    }, this.#againMs);
    this.#timers.add(timer);
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #delete(keys: readonly string[]): void {
    this.#artifacts.delete(keys).catch((error: unknown) => {
      this.#logger.warn({ err: error, pictures: keys.length }, "pictures that nobody needs could not be removed");
    });
  }
}
