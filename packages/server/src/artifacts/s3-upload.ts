import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { readImageHeader } from "@genai/protocol/pictures";
import { ArtifactTooLarge } from "./artifact-store.ts";

/** What is longer goes up in parts of this size, one at a time; so much stands in memory for each upload. S3 takes at most 10 000 parts. */
const PART_BYTES = 16 * 1_024 * 1_024;

interface Place {
  readonly Bucket: string;
  readonly Key: string;
}

/** Puts a stream as one object, whole or not at all: an object of several parts appears with its last word, and what is broken off is
 *  taken back (what a crash leaves unfinished is never seen; the bucket's own rules clear it away). */
export async function uploadObject(
  client: S3Client,
  place: Place,
  body: Readable,
  bytesMax: number,
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let parts: Parts | null = null;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw new ArtifactTooLarge(bytesMax);
      hash.update(chunk);
      waiting.push(chunk);
      waitingBytes += chunk.length;
      while (waitingBytes > PART_BYTES) {
        const all = Buffer.concat(waiting, waitingBytes);
        parts ??= await Parts.begin(client, place, mimeOf(all));
        await parts.add(all.subarray(0, PART_BYTES));
        waiting = [all.subarray(PART_BYTES)];
        waitingBytes -= PART_BYTES;
      }
    }
    const sha256 = hash.digest();
    const last = Buffer.concat(waiting, waitingBytes);
    if (parts === null) {
      await client.send(
        new PutObjectCommand({
          ...place,
          Body: last,
          ContentLength: last.length,
          ContentType: mimeOf(last),
          ChecksumSHA256: sha256.toString("base64"),
        }),
      );
    } else {
      await parts.add(last);
      await parts.complete();
    }
    return { sha256: sha256.toString("hex"), bytes };
  } catch (error) {
    await parts?.abort();
    throw error;
  }
}

/** An upload in parts that is under way. */
class Parts {
  readonly #client: S3Client;
  readonly #place: Place & { readonly UploadId: string };
  readonly #done: CompletedPart[] = [];

  static async begin(client: S3Client, place: Place, mime: string): Promise<Parts> {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...place, ContentType: mime }));
    if (UploadId === undefined) throw new Error("S3 gave no id for an upload in parts");
    return new Parts(client, { ...place, UploadId });
  }

  private constructor(client: S3Client, place: Place & { readonly UploadId: string }) {
    this.#client = client;
    this.#place = place;
  }

  async add(bytes: Buffer): Promise<void> {
    const PartNumber = this.#done.length + 1;
    const { ETag } = await this.#client.send(
      new UploadPartCommand({ ...this.#place, PartNumber, Body: bytes, ContentLength: bytes.length }),
    );
    this.#done.push({ PartNumber, ...(ETag === undefined ? {} : { ETag }) });
  }

  async complete(): Promise<void> {
    await this.#client.send(
      new CompleteMultipartUploadCommand({ ...this.#place, MultipartUpload: { Parts: this.#done } }),
    );
  }

  async abort(): Promise<void> {
    // Where even this fails the bucket's rule for unfinished uploads has to do it.
    await this.#client.send(new AbortMultipartUploadCommand(this.#place)).catch(() => {});
  }
}

/** By its own first bytes, never by what a node calls it. */
function mimeOf(bytes: Buffer): string {
  return readImageHeader(bytes)?.mime ?? "application/octet-stream";
}
