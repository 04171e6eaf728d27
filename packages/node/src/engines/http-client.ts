import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Agent, type Dispatcher, type FormData, request } from "undici";
import { isDiskError } from "./disk-error.ts";
import { dropBody } from "./drop-body.ts";
import { EngineHttpError } from "./engine-http-error.ts";
import { jsonOrUndefined } from "./json-or-undefined.ts";
import { type JsonPicture, JsonPictureReader } from "./json-picture-reader.ts";

/** An answer whose body is in memory. */
export interface EngineAnswer {
  readonly status: number;
  readonly text: string;
}

export interface EngineCall {
  readonly method?: "GET" | "POST";
  /** A stream goes out in chunks, and only once. */
  readonly body?: string | Buffer | FormData | Readable;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** Timeout for the headers of the answer, in milliseconds. Default 30 000. */
  readonly timeoutMs?: number;
  /** Longest answer, in bytes. Default 64 MiB. */
  readonly bytesMax?: number;
}

/** What a call that sends JSON has beside its body. */
export const JSON_POST = { method: "POST", contentType: "application/json" } as const satisfies EngineCall;

/** An answer whose pictures are in files. */
interface PictureAnswer {
  readonly status: number;
  /** The answer without its pictures; undefined where it is not JSON. */
  readonly value: unknown;
  /** The body as text, where the status is not 200. */
  readonly text: string;
  readonly pictures: readonly JsonPicture[];
}

const TIMEOUT_MS = 30_000;
const BYTES_MAX = 64 * 1024 * 1024;
/** Longest error answer, and longest answer without its pictures. */
const REST_BYTES_MAX = 8 * 1024 * 1024;
/** Largest picture that is taken from an engine: what a server takes from a node. */
export const PICTURE_BYTES_MAX = 256 * 1024 * 1024;

/** Calls one engine over HTTP, with limits on time and size for everything. */
export class EngineHttp {
  /** For every request, event sockets too: basic authentication where the URL has a name and a password. */
  readonly headers: Readonly<Record<string, string>>;
  readonly #base: string;
  readonly #agent = new Agent({ connect: { timeout: 5_000 }, keepAliveTimeout: 10_000 });

  /** `base` may end in a path; user name and password in it become basic authentication. */
  constructor(base: string) {
    const url = new URL(base);
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    this.headers = url.username === "" ? {} : { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` };
    url.username = "";
    url.password = "";
    this.#base = url.href.replace(/\/+$/, "");
  }

  /** Absolute URL of a path of the engine. */
  url(path: string): string {
    return `${this.#base}${path}`;
  }

  /** Any status is an answer. Rejects with {@link EngineHttpError} without one, or where it is too long. */
  async call(path: string, call: EngineCall = {}): Promise<EngineAnswer> {
    const answer = await this.#request(path, call);
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of bounded(path, answer.body, call.bytesMax ?? BYTES_MAX)) chunks.push(chunk);
      return { status: answer.statusCode, text: Buffer.concat(chunks).toString("utf8") };
    } catch (error) {
      dropBody(answer.body);
      throw asEngineError(path, error);
    }
  }

  /** The answer as JSON. Rejects for any status but 200 and for what is no JSON. */
  async json(path: string, call: EngineCall = {}): Promise<unknown> {
    const { status, text } = await this.call(path, call);
    if (status !== 200)
      throw new EngineHttpError(`The engine answered ${status} to ${path}: ${text.slice(0, 300)}`, "wrong");
    try {
      return JSON.parse(text);
    } catch (cause) {
      const what = text.slice(0, 100) || "(nothing)";
      throw new EngineHttpError(`The engine's answer to ${path} is no JSON: ${what}`, "wrong", { cause });
    }
  }

  /** An answer of JSON with base64 pictures in its `images`: each goes to a file in `folder` as it comes, so that a picture of any size
   *  needs no memory. The files are the caller's. Only an answer of 200 is read so. */
  async pictures(path: string, folder: string, call: EngineCall = {}): Promise<PictureAnswer> {
    const answer = await this.#request(path, call);
    const { statusCode: status } = answer;
    const reader = new JsonPictureReader(folder, {
      isPicture: ([first, second, ...more]) => first === "images" && second === "*" && more.length === 0,
      textBytesMax: REST_BYTES_MAX,
    });
    try {
      if (status !== 200) {
        const chunks: Buffer[] = [];
        for await (const chunk of bounded(path, answer.body, REST_BYTES_MAX)) chunks.push(chunk);
        const text = Buffer.concat(chunks).toString("utf8");
        return { status, value: jsonOrUndefined(text), text, pictures: [] };
      }
      for await (const chunk of bounded(path, answer.body, call.bytesMax ?? PICTURE_BYTES_MAX))
        await reader.write(chunk);
      const { text, pictures } = await reader.end();
      return { status, value: jsonOrUndefined(text), text, pictures };
    } catch (error) {
      dropBody(answer.body);
      await reader.discard();
      throw asEngineError(path, error);
    }
  }

  /** Streams an answer into a file; on failure the file is gone. */
  async download(
    path: string,
    file: string,
    call: EngineCall = {},
  ): Promise<{ readonly mime: string; readonly bytes: number }> {
    const answer = await this.#request(path, call);
    let bytes = 0;
    try {
      if (answer.statusCode !== 200)
        throw new EngineHttpError(`The engine answered ${answer.statusCode} to ${path}.`, "wrong");
      const counted = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
        for await (const chunk of bounded(path, chunks, call.bytesMax ?? PICTURE_BYTES_MAX)) {
          bytes += chunk.length;
          yield chunk;
        }
      };
      await pipeline(answer.body, counted, createWriteStream(file));
    } catch (error) {
      dropBody(answer.body);
      await rm(file, { force: true });
      throw asEngineError(path, error);
    }
    return { mime: String(answer.headers["content-type"] ?? "application/octet-stream").split(";")[0] ?? "", bytes };
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #request(path: string, call: EngineCall): Promise<Dispatcher.ResponseData> {
    const timeoutMs = call.timeoutMs ?? TIMEOUT_MS;
    try {
      return await request(this.url(path), {
        dispatcher: this.#agent,
        method: call.method ?? "GET",
        headers: { ...this.headers, ...(call.contentType === undefined ? {} : { "content-type": call.contentType }) },
        body: call.body ?? null,
        signal: call.signal ?? null,
        headersTimeout: timeoutMs,
        bodyTimeout: TIMEOUT_MS,
      });
    } catch (error) {
      throw asEngineError(path, error);
    }
  }
}

async function* bounded(path: string, chunks: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > bytesMax)
      throw new EngineHttpError(`The engine's answer to ${path} is longer than ${bytesMax} bytes.`, "too-large");
    yield chunk;
  }
}

function asEngineError(path: string, error: unknown): unknown {
  if (error instanceof EngineHttpError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (isDiskError(error)) return error;
  const why = code ?? (error instanceof Error ? error.message : String(error));
  return new EngineHttpError(`The engine can't be reached (${path}: ${why}).`, "unreachable", { cause: error });
}
