import type { Readable } from "node:stream";

/** What was stored. */
export interface StoredArtifact {
  readonly key: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** What a list tells of an artifact. */
export interface ListedArtifact {
  readonly key: string;
  readonly bytes: number;
  readonly modifiedAtMs: number;
}

/** What a node says that it is going to upload. */
export interface DirectUpload {
  readonly sha256: string;
  readonly bytes: number;
  readonly mime: string;
}

/** A `PUT` to `url` with these headers. */
export interface UploadTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Where pictures live, apart from the task rows. Keys are `attempts/<attemptId>/<n>` and the like: lower case, no dots, no leading slash. */
export interface ArtifactStore {
  /** Stores the stream whole or not at all; hashed on the way, on the disk when it resolves.
   *  Rejects with `ArtifactTooLarge` beyond `bytesMax`. Putting a key again replaces it in one step. */
  put(
    key: string,
    body: Readable,
    options: { readonly bytesMax: number; readonly mime: string },
  ): Promise<StoredArtifact>;
  head(key: string): Promise<(StoredArtifact & { readonly mime: string; readonly modifiedAtMs: number }) | null>;
  /** A byte range, or all of it; null where there is none. */
  get(key: string, range?: { readonly start: number; readonly end: number }): Promise<Readable | null>;
  /** Where clients may fetch it by themselves (S3's presigned URL), or null: we serve it. */
  redirectUrl(key: string, options: { readonly mime: string; readonly expiresInMs: number }): Promise<string | null>;
  /** Where a node may put these very bytes by itself (S3's presigned URL, bound to hash, length and type), or null: it uploads to us. */
  uploadTo(key: string, upload: DirectUpload, options: { readonly expiresInMs: number }): Promise<UploadTarget | null>;
  /** Deletes the keys; those that do not exist count as deleted. Rejects if one could not be deleted, after trying all of them or losing the store. */
  delete(keys: readonly string[]): Promise<void>;
  /** Lists everything below a folder (`attempts`; empty for all), each key once, in no particular order. Only one page is in memory at a time, and
   *  the caller may consume it slowly. Keys put or deleted meanwhile may or may not be included. */
  list(folder: string): AsyncIterable<ListedArtifact>;
  close(): Promise<void>;
}

/** Lower case, digits and hyphens, in folders; so no key can leave the store or name a hidden file. */
export function isArtifactKey(key: string): boolean {
  return key.length <= 512 && /^[a-z0-9-]+(\/[a-z0-9-]+)*$/.test(key);
}

/** A body was longer than allowed; nothing was stored. */
export class ArtifactTooLarge extends Error {
  readonly bytesMax: number;

  constructor(bytesMax: number) {
    super(`The artifact is larger than ${bytesMax} bytes.`);
    this.name = "ArtifactTooLarge";
    this.bytesMax = bytesMax;
  }
}

/** The store cannot be used. The message is a whole sentence for whoever starts the server. */
export class ArtifactStoreRefused extends Error {
  override readonly name = "ArtifactStoreRefused";
}
