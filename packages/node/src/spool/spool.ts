import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ErrorFrame, ResultFrame } from "@genai/protocol";
import { z } from "zod";
import type { EngineArtifact } from "../engines/engine.ts";

/** What is kept of a finished attempt beside its pictures. */
const SpoolRecord = z.object({
  final: z.discriminatedUnion("type", [ResultFrame, ErrorFrame]),
  uploadUrl: z.string().nullable(),
  /** What the spans of its way to the server continue from; absent where nothing was traced. */
  traceparent: z.string().nullable().default(null),
});
export type SpoolRecord = z.infer<typeof SpoolRecord>;

/** A picture on the disk. */
export interface SpooledArtifact {
  readonly sha256: string;
  readonly bytes: number;
}

const RECORD = "record.json";

/** Finished attempts on the node's disk, until the server has them. Each has a folder, in which the record is written last: a folder without one was left
 *  by a process that died in between, and is removed. */
export class Spool {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /** Makes the folder where there is none, and reads what an earlier process left. */
  static async open(root: string): Promise<{ readonly spool: Spool; readonly kept: readonly SpoolRecord[] }> {
    await mkdir(root, { recursive: true });
    const spool = new Spool(root);
    const kept: SpoolRecord[] = [];
    for (const name of await readdir(root)) {
      const record = await readRecord(join(root, name, RECORD));
      if (record === null) await rm(join(root, name), { recursive: true, force: true });
      else kept.push(record);
    }
    return { spool, kept };
  }

  /** Writes picture number `n` of an attempt and hashes it on the way. On the disk when it resolves. */
  async writeArtifact(attemptId: string, n: number, body: EngineArtifact["body"]): Promise<SpooledArtifact> {
    const folder = this.#folder(attemptId);
    await mkdir(folder, { recursive: true });
    const hash = createHash("sha256");
    let bytes = 0;
    const source = "file" in body ? createReadStream(body.file) : Readable.from([body.bytes]);
    const measured = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunks) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    };
    await pipeline(source, measured, createWriteStream(join(folder, String(n)), { flush: true }));
    if ("file" in body) await rm(body.file, { force: true });
    return { sha256: hash.digest("hex"), bytes };
  }

  /** Writes the record of an attempt. From here on it survives the process. */
  async writeRecord(attemptId: string, record: SpoolRecord): Promise<void> {
    const folder = this.#folder(attemptId);
    await mkdir(folder, { recursive: true });
    const unfinished = join(folder, randomUUID());
    await writeFile(unfinished, JSON.stringify(record), { flush: true });
    await rename(unfinished, join(folder, RECORD));
    await syncFolder(folder);
    await syncFolder(this.#root);
  }

  artifactPath(attemptId: string, n: number): string {
    return join(this.#folder(attemptId), String(n));
  }

  /** Folder for the input pictures of an attempt while it runs. Without a record beside it, the next start removes it. */
  inputFolder(attemptId: string): string {
    return join(this.#folder(attemptId), "inputs");
  }

  async removeInputs(attemptId: string): Promise<void> {
    await rm(this.inputFolder(attemptId), { recursive: true, force: true });
    // The attempt's folder goes with it unless a result is in it.
    await rmdir(this.#folder(attemptId)).catch(() => {});
  }

  async remove(attemptId: string): Promise<void> {
    const folder = this.#folder(attemptId);
    // The record first: a folder that is half removed is then swept, and not taken for a result.
    await rm(join(folder, RECORD), { force: true });
    await rm(folder, { recursive: true, force: true });
  }

  /** Named by a hash: ids of a v1 server may hold anything. */
  #folder(attemptId: string): string {
    return join(this.#root, createHash("sha256").update(attemptId).digest("hex").slice(0, 40));
  }
}

async function readRecord(path: string): Promise<SpoolRecord | null> {
  try {
    const parsed = SpoolRecord.safeParse(JSON.parse(await readFile(path, "utf8")));
    return parsed.success ? parsed.data : null;
  } catch {
    // Not there, or cut short by a power cut before its rename was on the disk: the server will have it run again.
    return null;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
