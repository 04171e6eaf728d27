import type { ArtifactStore } from "../artifacts/artifact-store.ts";

/** Folders whose bytes are remembered; others are added up anew. */
const FOLDERS_MAX = 10_000;
/** A file counts for at least so much: a disk and a sweep have to do with each, however small. */
const FILE_BYTES_MIN = 65_536;

/** How many bytes each folder of the artifacts has: added up from the store at the first look, so that a restart forgets nothing, and
 *  counted from then on. What another server stores beside this one is seen after the next {@link forget}. */
export class StoredBytes {
  readonly #artifacts: Pick<ArtifactStore, "list">;
  readonly #folders = new Map<string, Promise<{ bytes: number }>>();

  constructor(artifacts: Pick<ArtifactStore, "list">) {
    this.#artifacts = artifacts;
  }

  /** Counts a file that is about to be stored. Where the folder would have more than `bytesMax` it counts nothing and gives what is there
   *  already; else null. */
  async reserve(folder: string, bytes: number, bytesMax: number): Promise<number | null> {
    const stored = await this.#of(folder);
    const charge = chargeOf(bytes);
    if (stored.bytes + charge > bytesMax) return stored.bytes;
    stored.bytes += charge;
    return null;
  }

  /** Takes back what was reserved: the file was not stored. */
  release(folder: string, bytes: number): void {
    this.#folders.get(folder)?.then(
      (stored) => {
        stored.bytes -= chargeOf(bytes);
      },
      () => {
        // It could not be added up, so there is nothing to take back.
      },
    );
  }

  /** Files have been removed: everything is added up anew. */
  forget(): void {
    this.#folders.clear();
  }

  #of(folder: string): Promise<{ bytes: number }> {
    let stored = this.#folders.get(folder);
    if (stored === undefined) {
      stored = this.#addUp(folder);
      stored.catch(() => this.#folders.delete(folder));
      const [oldest] = this.#folders.keys();
      if (this.#folders.size >= FOLDERS_MAX && oldest !== undefined) this.#folders.delete(oldest);
      this.#folders.set(folder, stored);
    }
    return stored;
  }

  async #addUp(folder: string): Promise<{ bytes: number }> {
    let bytes = 0;
    for await (const file of this.#artifacts.list(folder)) bytes += chargeOf(file.bytes);
    return { bytes };
  }
}

function chargeOf(bytes: number): number {
  return Math.max(bytes, FILE_BYTES_MIN);
}
