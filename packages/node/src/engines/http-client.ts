import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { Agent, type Dispatcher, type FormData, request } from "undici";

/** The engine could not be reached, or answered what it should not. */
export class EngineHttpError extends Error {
  /** HTTP status, or null where there was no answer. */
  readonly status: number | null;

  constructor(message: string, status: number | null, options?: ErrorOptions) {
    super(message, options);
    this.name = "EngineHttpError";
    this.status = status;
  }
}

/** An answer whose body is in memory. */
export interface EngineAnswer {
  readonly status: number;
  readonly text: string;
}

export interface EngineCall {
  readonly method?: "GET" | "POST";
  readonly body?: string | Buffer | FormData;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** Until the headers of the answer, in milliseconds. Default 30 000. */
  readonly timeoutMs?: number;
  /** Longest answer, in bytes. Default 64 MiB. */
  readonly bytesMax?: number;
}

const TIMEOUT_MS = 30_000;
const BYTES_MAX = 64 * 1024 * 1024;

/** Calls one engine over HTTP, with a bound on time and size for everything. */
export class EngineHttp {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent = new Agent({ connect: { timeout: 5_000 }, keepAliveTimeout: 10_000 });

  /** `base` may end in a path; user name and password in it become basic authentication. */
  constructor(base: string) {
    const url = new URL(base);
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    this.#headers =
      url.username === "" ? {} : { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` };
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
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > (call.bytesMax ?? BYTES_MAX)) {
          throw new EngineHttpError(
            `The engine's answer to ${path} is longer than ${call.bytesMax ?? BYTES_MAX} bytes.`,
            null,
          );
        }
        chunks.push(chunk);
      }
    } catch (error) {
      answer.body.destroy();
      throw asEngineError(path, error);
    }
    return { status: answer.statusCode, text: Buffer.concat(chunks).toString("utf8") };
  }

  /** The answer as JSON. Rejects for any status but 200 and for what is no JSON. */
  async json(path: string, call: EngineCall = {}): Promise<unknown> {
    const { status, text } = await this.call(path, call);
    if (status !== 200)
      throw new EngineHttpError(`The engine answered ${status} to ${path}: ${text.slice(0, 300)}`, status);
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new EngineHttpError(`The engine's answer to ${path} is no JSON: ${text.slice(0, 100)}`, status, { cause });
    }
  }

  /** Streams an answer into a file; on failure the file is gone. */
  async download(
    path: string,
    file: string,
    call: EngineCall = {},
  ): Promise<{ readonly mime: string; readonly bytes: number }> {
    const answer = await this.#request(path, call);
    const bytesMax = call.bytesMax ?? BYTES_MAX;
    let bytes = 0;
    try {
      if (answer.statusCode !== 200) {
        throw new EngineHttpError(`The engine answered ${answer.statusCode} to ${path}.`, answer.statusCode);
      }
      const bounded = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
        for await (const chunk of chunks) {
          bytes += chunk.length;
          if (bytes > bytesMax)
            throw new EngineHttpError(`The engine's answer to ${path} is longer than ${bytesMax} bytes.`, null);
          yield chunk;
        }
      };
      await pipeline(answer.body, bounded, createWriteStream(file));
    } catch (error) {
      answer.body.destroy();
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
        headers: { ...this.#headers, ...(call.contentType === undefined ? {} : { "content-type": call.contentType }) },
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

function asEngineError(path: string, error: unknown): unknown {
  if (error instanceof EngineHttpError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  const why = code ?? (error instanceof Error ? error.message : String(error));
  return new EngineHttpError(`The engine can't be reached (${path}: ${why}).`, null, { cause: error });
}
