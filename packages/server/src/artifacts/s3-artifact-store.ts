import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  type _Error,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { isImageMime, readImageHeader } from "@genai/protocol/pictures";
import {
  type ArtifactStore,
  ArtifactStoreRefused,
  type DirectUpload,
  isArtifactKey,
  type ListedArtifact,
  type StoredArtifact,
  type UploadTarget,
} from "./artifact-store.ts";
import { RecentHashes } from "./recent-hashes.ts";
import { uploadObject } from "./s3-upload.ts";

export interface S3ArtifactStoreOptions {
  readonly bucket: string;
  /** Before every key, without slashes at its ends; empty for none. */
  readonly prefix: string;
  readonly region: string;
  /** Null for AWS's own. */
  readonly endpoint: string | null;
  /** The bucket in the path instead of in the host name. */
  readonly pathStyle: boolean;
  /** Clients and nodes are sent to S3 itself; false: every byte passes through the server. */
  readonly presign: boolean;
}

/** For a connection, and between two pieces of an answer, in milliseconds. */
const CONNECT_MS = 5_000;
const STALL_MS = 30_000;
/** Longest that a presigned URL can live (AWS's own limit), in milliseconds. */
const PRESIGNED_MS_MAX = 7 * 86_400_000;
/** Most keys of one request (AWS's own limit). */
const KEYS_MAX = 1_000;

const OCTETS = "application/octet-stream";
const SHA256_OF_NOTHING = createHash("sha256").digest("hex");

/** Pictures in a bucket of S3 or of a store that speaks its API, one object each. An object appears under its key only when it is whole.
 *  Credentials come from the AWS environment (`AWS_ACCESS_KEY_ID` and the like). */
export class S3ArtifactStore implements ArtifactStore {
  readonly #options: S3ArtifactStoreOptions;
  readonly #client: S3Client;
  /** Of what has no checksum that S3 itself keeps. */
  readonly #hashes = new RecentHashes();

  private constructor(options: S3ArtifactStoreOptions) {
    this.#options = options;
    this.#client = new S3Client({
      region: options.region,
      ...(options.endpoint === null ? {} : { endpoint: options.endpoint }),
      forcePathStyle: options.pathStyle,
      maxAttempts: 3,
      requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: STALL_MS },
      // Other stores than AWS's do not know the newer checksums of whole requests.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
    });
  }

  /** Makes sure that the bucket answers. Throws {@link ArtifactStoreRefused}. */
  static async open(options: S3ArtifactStoreOptions): Promise<S3ArtifactStore> {
    const store = new S3ArtifactStore(options);
    try {
      await store.#client.send(new HeadBucketCommand({ Bucket: options.bucket }));
    } catch (error) {
      store.#client.destroy();
      throw refusal(error, options);
    }
    return store;
  }

  async put(key: string, body: Readable, options: { readonly bytesMax: number }): Promise<StoredArtifact> {
    const stored = await uploadObject(this.#client, this.#place(key), body, options.bytesMax);
    this.#hashes.keep(key, stored.sha256);
    return { key, ...stored };
  }

  async head(key: string): Promise<(StoredArtifact & { mime: string; modifiedAtMs: number }) | null> {
    try {
      const head = await this.#client.send(new HeadObjectCommand({ ...this.#place(key), ChecksumMode: "ENABLED" }));
      const modifiedAtMs = head.LastModified?.getTime() ?? 0;
      // Of nothing no range can be read.
      if (head.ContentLength === 0) return { key, sha256: SHA256_OF_NOTHING, bytes: 0, mime: OCTETS, modifiedAtMs };
      return {
        key,
        sha256: await this.#hashOf(key, head.ChecksumSHA256),
        bytes: head.ContentLength ?? 0,
        // What another program copied here has no type worth the name; and a type that can hold scripts is not believed.
        mime: isImageMime(head.ContentType) ? head.ContentType : await this.#mimeOf(key),
        modifiedAtMs,
      };
    } catch (error) {
      return absent(error);
    }
  }

  async get(key: string, range?: { readonly start: number; readonly end: number }): Promise<Readable | null> {
    try {
      const answer = await this.#client.send(
        new GetObjectCommand({
          ...this.#place(key),
          ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end}` }),
        }),
      );
      return answer.Body instanceof Readable ? answer.Body : null;
    } catch (error) {
      // A range of nothing: the object is empty.
      if (statusOf(error) === 416) return Readable.from([]);
      return absent(error);
    }
  }

  async redirectUrl(
    key: string,
    { mime, expiresInMs }: { readonly mime: string; readonly expiresInMs: number },
  ): Promise<string | null> {
    if (!this.#options.presign) return null;
    const isPicture = mime.startsWith("image/");
    const command = new GetObjectCommand({
      ...this.#place(key),
      ResponseContentType: mime,
      ...(isPicture ? {} : { ResponseContentDisposition: "attachment" }),
    });
    return await getSignedUrl(this.#client, command, { expiresIn: expirySeconds(expiresInMs) });
  }

  async uploadTo(
    key: string,
    { sha256, bytes, mime }: DirectUpload,
    { expiresInMs }: { readonly expiresInMs: number },
  ): Promise<UploadTarget | null> {
    if (!this.#options.presign) return null;
    const checksum = Buffer.from(sha256, "hex").toString("base64");
    const command = new PutObjectCommand({
      ...this.#place(key),
      ContentLength: bytes,
      ContentType: mime,
      ChecksumSHA256: checksum,
    });
    // Signed as headers, so that no other bytes can be put by this URL.
    const signed = ["content-length", "content-type", "x-amz-checksum-sha256"];
    const url = await getSignedUrl(this.#client, command, {
      expiresIn: expirySeconds(expiresInMs),
      signableHeaders: new Set(["host", ...signed]),
      unhoistableHeaders: new Set(signed),
    });
    this.#hashes.forget(key);
    return {
      url,
      headers: { "content-length": String(bytes), "content-type": mime, "x-amz-checksum-sha256": checksum },
    };
  }

  async delete(keys: readonly string[]): Promise<void> {
    const failures: _Error[] = [];
    for (let at = 0; at < keys.length; at += KEYS_MAX) {
      const some = keys.slice(at, at + KEYS_MAX);
      for (const key of some) this.#hashes.forget(key);
      const { Errors = [] } = await this.#client.send(
        new DeleteObjectsCommand({
          Bucket: this.#options.bucket,
          Delete: { Objects: some.map((key) => ({ Key: this.#place(key).Key })), Quiet: true },
        }),
      );
      failures.push(...Errors);
    }
    const [first] = failures;
    if (first !== undefined) throw new Error(`S3 did not delete ${first.Key}: ${first.Code} ${first.Message}`);
  }

  async *list(folder: string): AsyncGenerator<ListedArtifact> {
    const before = this.#options.prefix === "" ? "" : `${this.#options.prefix}/`;
    // Goes on behind a key, which does not expire as S3's own tokens may.
    let last: string | undefined;
    for (let more = true; more; ) {
      const { Contents = [], IsTruncated } = await this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.#options.bucket,
          Prefix: folder === "" ? before : `${before}${folder}/`,
          MaxKeys: KEYS_MAX,
          ...(last === undefined ? {} : { StartAfter: last }),
        }),
      );
      for (const { Key = "", Size = 0, LastModified } of Contents) {
        const key = Key.slice(before.length);
        if (isArtifactKey(key)) yield { key, bytes: Size, modifiedAtMs: LastModified?.getTime() ?? 0 };
      }
      last = Contents.at(-1)?.Key;
      more = IsTruncated === true && last !== undefined;
    }
  }

  close(): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }

  #place(key: string): { readonly Bucket: string; readonly Key: string } {
    if (!isArtifactKey(key)) throw new Error(`${JSON.stringify(key)} is no artifact key`);
    const { bucket, prefix } = this.#options;
    return { Bucket: bucket, Key: prefix === "" ? key : `${prefix}/${key}` };
  }

  /** S3's own checksum of the whole object where it keeps one; what we put ourselves; else by reading it. A node's word is never taken. */
  async #hashOf(key: string, checksum: string | undefined): Promise<string> {
    if (checksum !== undefined && /^[A-Za-z0-9+/]{43}=$/.test(checksum)) {
      return Buffer.from(checksum, "base64").toString("hex");
    }
    const known = this.#hashes.of(key);
    if (known !== undefined) return known;
    const hash = createHash("sha256");
    for await (const chunk of (await this.get(key)) ?? []) hash.update(chunk as Buffer);
    const sha256 = hash.digest("hex");
    this.#hashes.keep(key, sha256);
    return sha256;
  }

  async #mimeOf(key: string): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of (await this.get(key, { start: 0, end: 63 })) ?? []) chunks.push(chunk as Buffer);
    return readImageHeader(Buffer.concat(chunks))?.mime ?? OCTETS;
  }
}

function expirySeconds(ms: number): number {
  return Math.max(1, Math.floor(Math.min(ms, PRESIGNED_MS_MAX) / 1_000));
}

function statusOf(error: unknown): number | null {
  const metadata = (error as { readonly $metadata?: { readonly httpStatusCode?: number } } | null)?.$metadata;
  return metadata?.httpStatusCode ?? null;
}

function absent(error: unknown): null {
  if (statusOf(error) === 404) return null;
  throw error;
}

/** Why the bucket cannot be used, for whoever starts the server. */
function refusal(error: unknown, { bucket, endpoint, region }: S3ArtifactStoreOptions): ArtifactStoreRefused {
  const where = `ARTIFACT_STORE names the bucket ${JSON.stringify(bucket)}`;
  const at = endpoint === null ? `S3 in ${region}` : endpoint;
  const name = error instanceof Error ? error.name : "";
  switch (statusOf(error)) {
    case 404:
      return new ArtifactStoreRefused(`${where}, which does not exist at ${at}. Make it first.`, { cause: error });
    case 403:
      return new ArtifactStoreRefused(
        `${where}, but ${at} does not let these credentials use it. It needs s3:ListBucket, GetObject, PutObject and DeleteObject.`,
        { cause: error },
      );
    case 301:
    case 400:
      return new ArtifactStoreRefused(`${where}, but ${at} refuses the request. Is S3_REGION (${region}) right?`, {
        cause: error,
      });
    default:
      return name === "CredentialsProviderError"
        ? new ArtifactStoreRefused(
            `${where}, but there are no AWS credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.`,
            { cause: error },
          )
        : new ArtifactStoreRefused(`${where}, but ${at} does not answer (${(error as Error).message}).`, {
            cause: error,
          });
  }
}
