import { Problem } from "@genai/protocol";
import type { z } from "zod";
import { CliError, type exitCodes } from "../cli-error.ts";

export interface ApiCall {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Relative to the server. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Longest wait for an answer's head. */
const answerMs = 60_000;
const jsonBytesMax = 64 * 1024 ** 2;

/** Calls of the server's `/v2`. Everything that goes wrong is a CliError with what to do. */
export class ApiClient {
  readonly #server: URL;
  readonly #token: string | null;

  constructor(server: string, token: string | null) {
    this.#server = new URL(server);
    this.#token = token;
  }

  /** An answer's JSON, as `schema` says it must be. */
  async json<T>(call: ApiCall, schema: z.ZodType<T>): Promise<T> {
    const response = await this.open(call);
    const text = (await readBytes(response, jsonBytesMax, this.#server)).toString("utf8");
    const parsed = schema.safeParse(jsonOrNull(text));
    if (parsed.success) return parsed.data;
    const field = parsed.error.issues[0]?.path.join(".");
    throw new CliError(
      "failed",
      `The server's answer to ${call.path} can't be read${field && ` at ${field}`}; are both of one version?`,
    );
  }

  /** An answer whose body is still to be read. Throws unless it is a success. */
  async open(call: ApiCall): Promise<Response> {
    const url = new URL(call.path, this.#server);
    const ours = url.origin === this.#server.origin;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), answerMs);
    try {
      const response = await fetch(url, {
        method: call.method,
        headers: {
          // A picture may lie elsewhere, where our token has no business.
          ...(this.#token !== null && ours && { authorization: `Bearer ${this.#token}` }),
          ...(call.body !== undefined && { "content-type": "application/json" }),
          ...call.headers,
        },
        body: call.body === undefined ? null : JSON.stringify(call.body),
        signal: call.signal ? AbortSignal.any([call.signal, limit.signal]) : limit.signal,
      });
      if (!response.ok) throw await refusal(response, url);
      return response;
    } catch (error) {
      if (error instanceof CliError || call.signal?.aborted) throw error;
      if (limit.signal.aborted)
        throw new CliError("timeout", `The server at ${url.origin} has not answered within a minute.`);
      throw new CliError(
        "away",
        `The server at ${url.origin} does not answer. Start it, or give its address with --server.`,
        {
          cause: error,
        },
      );
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A body of at most `bytesMax`. */
export async function readBytes(response: Response, bytesMax: number, from: URL): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of response.body ?? []) {
      bytes += piece.byteLength;
      if (bytes > bytesMax)
        throw new CliError("failed", `An answer of ${from.origin} is larger than ${bytesMax} bytes.`);
      pieces.push(piece);
    }
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError("away", `The connection to ${from.origin} broke off. Try again.`, { cause: error });
  }
  return Buffer.concat(pieces);
}

const kinds: Readonly<Record<number, keyof typeof exitCodes>> = {
  400: "usage",
  401: "refused",
  403: "refused",
  404: "notFound",
  413: "usage",
  415: "usage",
  422: "usage",
  429: "refused",
  503: "away",
  504: "timeout",
};

async function refusal(response: Response, url: URL): Promise<CliError> {
  const text = (await readBytes(response, 1024 ** 2, url)).toString("utf8");
  const problem = Problem.safeParse(jsonOrNull(text)).data;
  const fields = problem?.errors?.map(({ field, message }) => `${field} ${message}`).join("; ");
  const reason = fields || problem?.detail || problem?.title || `status ${response.status}`;
  const advice = response.status === 401 ? " Give a token with --token or GENAI_TOKEN." : "";
  return new CliError(
    kinds[response.status] ?? "failed",
    `The server refused it: ${reason.replace(/\.$/, "")}.${advice}`,
  );
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
