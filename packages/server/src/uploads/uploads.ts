import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { hasUsableSize, readImageHeader } from "@genai/protocol/pictures";
import type { ArtifactStore } from "../artifacts/artifact-store.ts";
import { StoredBytes } from "./stored-bytes.ts";

/** An input image that a user brought before the task that needs it. */
export interface Upload {
  /** SHA-256 of the bytes, lower-case hex. */
  readonly id: string;
  readonly bytes: number;
  readonly mime: string;
}

export type UploadOutcome =
  | { readonly type: "stored" | "known"; readonly upload: Upload }
  /** The bytes are no picture. */
  | { readonly type: "no_image" }
  /** The picture claims more pixels than are taken, or none. */
  | { readonly type: "unusable_size" }
  /** The user has stored as much as one may. */
  | { readonly type: "no_room"; readonly usedBytes: number; readonly bytesMax: number }
  /** The bytes are not those that were announced. */
  | { readonly type: "mismatch"; readonly sha256: string };

const PREFIX = "uploads";
/** Pictures that the sweep removes at once. */
const BITE = 200;

/** Input images by their content, each user's apart: whoever knows only a hash gets nobody else's picture. */
export class Uploads {
  readonly #artifacts: ArtifactStore;
  readonly #ttlMs: number;
  /** A use is written down where the last one that was is so long ago: a picture that each task uses is written ten times in its time. */
  readonly #renewMs: number;
  readonly #userBytesMax: number | null;
  readonly #stored: StoredBytes;

  /** @param limits pictures are kept for `ttlMs` after they were last brought or used, and up to a tenth longer; a user's together have at
   *  most `userBytesMax`, null for no bound. */
  constructor(artifacts: ArtifactStore, limits: { readonly ttlMs: number; readonly userBytesMax: number | null }) {
    this.#artifacts = artifacts;
    this.#ttlMs = limits.ttlMs;
    this.#renewMs = limits.ttlMs / 10;
    this.#userBytesMax = limits.userBytesMax;
    this.#stored = new StoredBytes(artifacts);
  }

  /** Stores a picture. `announced`: the hash that the caller says it has, or null. */
  async put(userId: string, bytes: Buffer, announced: string | null): Promise<UploadOutcome> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    if (announced !== null && announced !== sha256) return { type: "mismatch", sha256 };
    const header = readImageHeader(bytes);
    if (header === null) return { type: "no_image" };
    if (!hasUsableSize(header)) return { type: "unusable_size" };
    const known = (await this.find(userId, sha256)) !== null;
    const bytesMax = this.#userBytesMax;
    if (!known && bytesMax !== null) {
      const usedBytes = await this.#stored.reserve(folderOf(userId), bytes.length, bytesMax);
      if (usedBytes !== null) return { type: "no_room", usedBytes, bytesMax };
    }
    try {
      // A known one is put again all the same: its time begins anew.
      await this.#store(keyOf(userId, sha256), bytes, header.mime);
    } catch (error) {
      if (!known) this.#stored.release(folderOf(userId), bytes.length);
      throw error;
    }
    return { type: known ? "known" : "stored", upload: { id: sha256, bytes: bytes.length, mime: header.mime } };
  }

  async find(userId: string, id: string): Promise<Upload | null> {
    const head = await this.#artifacts.head(keyOf(userId, id));
    return head === null ? null : { id, bytes: head.bytes, mime: head.mime };
  }

  /** For a task that uses it: its time begins anew. */
  async read(userId: string, id: string): Promise<Buffer | null> {
    const key = keyOf(userId, id);
    const head = await this.#artifacts.head(key);
    const body = head === null ? null : await this.#artifacts.get(key);
    if (head === null || body === null) return null;
    const bytes = await buffer(body);
    if (head.modifiedAtMs < Date.now() - this.#renewMs) await this.#store(key, bytes, head.mime);
    return bytes;
  }

  /** Removes what is kept no longer. Returns how many. */
  async sweep(nowMs: number): Promise<number> {
    let removed = 0;
    let old: string[] = [];
    const remove = async (): Promise<void> => {
      await this.#artifacts.delete(old);
      removed += old.length;
      old = [];
    };
    for await (const { key, modifiedAtMs } of this.#artifacts.list(PREFIX)) {
      if (modifiedAtMs < nowMs - this.#ttlMs - this.#renewMs) old.push(key);
      if (old.length === BITE) await remove();
    }
    await remove();
    this.#stored.forget();
    return removed;
  }

  async #store(key: string, bytes: Buffer, mime: string): Promise<void> {
    await this.#artifacts.put(key, Readable.from([bytes]), { bytesMax: bytes.length, mime });
  }
}

function keyOf(userId: string, sha256: string): string {
  return `${folderOf(userId)}/${sha256}`;
}

function folderOf(userId: string): string {
  return `${PREFIX}/${createHash("sha256").update(userId).digest("hex").slice(0, 32)}`;
}
