import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { readImageHeader } from "@genai/protocol/pictures";
import type { ArtifactStore, ListedArtifact } from "../../src/artifacts/artifact-store.ts";

/** Artifacts in memory. */
export class MemoryArtifacts implements ArtifactStore {
  readonly #kept = new Map<string, { readonly bytes: Buffer; readonly atMs: number }>();

  put: ArtifactStore["put"] = async (key, body) => {
    const bytes = await buffer(body);
    this.#kept.set(key, { bytes, atMs: Date.now() });
    return { key, sha256: sha256Of(bytes), bytes: bytes.length };
  };

  head: ArtifactStore["head"] = async (key) => {
    const kept = this.#kept.get(key);
    if (kept === undefined) return null;
    const mime = readImageHeader(kept.bytes)?.mime ?? "application/octet-stream";
    return { key, sha256: sha256Of(kept.bytes), bytes: kept.bytes.length, mime, modifiedAtMs: kept.atMs };
  };

  get: ArtifactStore["get"] = async (key) => {
    const kept = this.#kept.get(key);
    return kept === undefined ? null : Readable.from([kept.bytes]);
  };

  redirectUrl: ArtifactStore["redirectUrl"] = async () => null;

  uploadTo: ArtifactStore["uploadTo"] = async () => null;

  delete: ArtifactStore["delete"] = async (keys) => {
    for (const key of keys) this.#kept.delete(key);
  };

  close: ArtifactStore["close"] = async () => {};

  async *list(folder: string): AsyncGenerator<ListedArtifact> {
    for (const [key, { bytes, atMs }] of [...this.#kept]) {
      if (folder === "" || key.startsWith(`${folder}/`)) yield { key, bytes: bytes.length, modifiedAtMs: atMs };
    }
  }
}

function sha256Of(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
