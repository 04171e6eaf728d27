import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, opendir, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { readImageHeader } from "@genai/protocol/pictures";
import {
  type ArtifactStore,
  ArtifactStoreRefused,
  ArtifactTooLarge,
  isArtifactKey,
  type ListedArtifact,
  type StoredArtifact,
} from "./artifact-store.ts";
import { RecentHashes } from "./recent-hashes.ts";

/** Pictures in a folder, one file each. A file appears under its name only when it is whole and on the disk. */
export class FolderArtifactStore implements ArtifactStore {
  readonly #root: string;
  readonly #unfinished: string;
  /** An older file is hashed again when somebody asks. */
  readonly #hashes = new RecentHashes();

  private constructor(root: string) {
    this.#root = root;
    this.#unfinished = join(root, "unfinished");
  }

  /** Makes the folder where there is none, and sweeps what a crash left unfinished. Rejects with {@link ArtifactStoreRefused} where the
   *  system lets it not. */
  static async open(root: string): Promise<FolderArtifactStore> {
    const store = new FolderArtifactStore(root);
    try {
      await rm(store.#unfinished, { recursive: true, force: true });
      await mkdir(store.#unfinished, { recursive: true });
    } catch (error) {
      throw refusal(error);
    }
    return store;
  }

  /** One that is only read from, beside the process that writes; the folder is left as it is. */
  static toRead(root: string): Pick<ArtifactStore, "head" | "get" | "list"> {
    return new FolderArtifactStore(root);
  }

  async put(key: string, body: Readable, options: { readonly bytesMax: number }): Promise<StoredArtifact> {
    const path = this.#path(key);
    const unfinished = join(this.#unfinished, randomUUID());
    const hash = createHash("sha256");
    let bytes = 0;
    const measure = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        hash.update(chunk);
        if (bytes > options.bytesMax) done(new ArtifactTooLarge(options.bytesMax));
        else done(null, chunk);
      },
    });
    try {
      // `flush` syncs the file before it is closed.
      await pipeline(body, measure, createWriteStream(unfinished, { flags: "wx", flush: true }));
      // Its folder may go between the two steps, with the last of its other pictures.
      const made = await moveTo(path, unfinished).catch((error) => absent(error) ?? moveTo(path, unfinished));
      await syncFolders(dirname(path), made === undefined ? dirname(path) : dirname(made));
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
    const sha256 = hash.digest("hex");
    this.#hashes.keep(key, sha256);
    return { key, sha256, bytes };
  }

  async head(key: string): Promise<(StoredArtifact & { mime: string; modifiedAtMs: number }) | null> {
    const path = this.#path(key);
    try {
      const status = await stat(path);
      if (!status.isFile()) return null;
      const { size, mtimeMs } = status;
      const sha256 = this.#hashes.of(key) ?? (await hashOf(path));
      this.#hashes.keep(key, sha256);
      return { key, sha256, bytes: size, mime: await mimeOf(path), modifiedAtMs: mtimeMs };
    } catch (error) {
      return absent(error);
    }
  }

  async get(key: string, range?: { readonly start: number; readonly end: number }): Promise<Readable | null> {
    try {
      const file = await open(this.#path(key), "r");
      return file.createReadStream(range === undefined ? {} : { start: range.start, end: range.end });
    } catch (error) {
      return absent(error);
    }
  }

  redirectUrl(): Promise<null> {
    return Promise.resolve(null);
  }

  uploadTo(): Promise<null> {
    return Promise.resolve(null);
  }

  async delete(keys: readonly string[]): Promise<void> {
    const failures: unknown[] = [];
    for (const key of keys) await this.#remove(key).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  async *list(folder: string): AsyncGenerator<ListedArtifact> {
    // Entry by entry: there may be a million of them.
    const entries = await opendir(join(this.#root, folder)).catch(absent);
    for await (const entry of entries ?? []) {
      const key = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (key === "unfinished") continue;
      if (entry.isDirectory()) yield* this.list(key);
      else if (isArtifactKey(key)) {
        const status = await stat(join(this.#root, key)).catch(absent);
        if (status !== null) yield { key, bytes: status.size, modifiedAtMs: status.mtimeMs };
      }
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #remove(key: string): Promise<void> {
    this.#hashes.forget(key);
    const path = this.#path(key);
    await rm(path, { force: true });
    // An attempt's folder goes with its last picture; until then this is refused.
    if (dirname(path) !== this.#root) await rmdir(dirname(path)).catch(() => {});
  }

  #path(key: string): string {
    if (!isArtifactKey(key)) throw new Error(`${JSON.stringify(key)} is no artifact key`);
    return join(this.#root, key);
  }
}

/** Moves a file to a path whose folder need not be there. Gives the topmost folder that it made, if any. */
async function moveTo(path: string, from: string): Promise<string | undefined> {
  const made = await mkdir(dirname(path), { recursive: true });
  await rename(from, path);
  return made;
}

function refusal(error: unknown): ArtifactStoreRefused {
  const { message } = error as NodeJS.ErrnoException;
  return new ArtifactStoreRefused(
    `GENAI_HOME/artifacts can't be used: ${message}. It must be a folder that the server may write.`,
    { cause: error },
  );
}

function absent(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
  throw error;
}

/** Syncs a folder and those above it up to `top`: a new name is on the disk only when its folder is. */
async function syncFolders(path: string, top: string): Promise<void> {
  await syncFolder(path);
  if (path !== top) await syncFolders(dirname(path), top);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function mimeOf(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(64), 0, 64, 0);
    return readImageHeader(buffer.subarray(0, bytesRead))?.mime ?? "application/octet-stream";
  } finally {
    await file.close();
  }
}
