import type { Operation } from "../openapi/operation.ts";
import { Problem } from "../v2/problem.ts";
import { ApiProblem, ApiTimeout, ApiUnreachable, UnexpectedAnswer } from "./client-error.ts";
import type { AnyCall } from "./operation-call.ts";

export interface SenderOptions {
  /** Where the server is: `http://127.0.0.1:8080`. */
  readonly server: string;
  /** A JWT or an API key; null for a server that asks for none. */
  readonly token: string | null;
  /** For the head of an answer, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends every request when aborted. */
  readonly signal?: AbortSignal;
}

/** Longest answer of JSON, in bytes. */
const JSON_BYTES_MAX = 64 * 1_024 * 1_024;

/** Sends requests and tells answers from refusals. */
export class Sender {
  readonly #base: URL;
  readonly #options: SenderOptions;

  constructor(options: SenderOptions) {
    this.#base = new URL(options.server);
    this.#options = options;
  }

  /** Calls an operation and reads its answer by the schema of its status. */
  async call(operation: Operation, call: AnyCall): Promise<{ status: number; body: unknown; headers: Headers }> {
    const response = await this.send(operation.method, pathOf(operation, call), {
      headers: { ...texts(call.headers), ...contentTypeOf(call) },
      body: bodyOf(operation, call),
      ...(call.signal === undefined ? {} : { signal: call.signal }),
      ...(call.timeoutMs === undefined ? {} : { timeoutMs: call.timeoutMs }),
      expected: (status) => operation.answers[status] !== undefined,
    });
    const { status, headers } = response;
    const answer = operation.answers[status];
    if (answer === undefined) throw new UnexpectedAnswer(operation.id, status);
    const text = await this.#text(response);
    if (answer.schema === null) return { status, body: null, headers };
    const parsed = answer.schema.safeParse(jsonOrNull(text));
    if (!parsed.success) throw new UnexpectedAnswer(operation.id, status, { cause: parsed.error });
    return { status, body: parsed.data, headers };
  }

  /** An answer whose body is still to be read. A refusal is thrown. `path` is an address on the server, or a whole URL: the token goes
   *  to the server alone. */
  async send(
    method: string,
    path: string,
    {
      headers = {},
      body = null,
      signal,
      timeoutMs = this.#options.timeoutMs,
      expected = (status) => status >= 200 && status < 300,
    }: {
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: NonNullable<RequestInit["body"]> | null;
      readonly signal?: AbortSignal;
      readonly timeoutMs?: number;
      /** Statuses that are answers. */
      readonly expected?: (status: number) => boolean;
    } = {},
  ): Promise<Response> {
    const url = new URL(path, this.#base);
    const { token } = this.#options;
    const given = [this.#options.signal, signal].filter((each) => each !== undefined);
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), timeoutMs);
    try {
      const response = await fetch(url, {
        method,
        headers: {
          ...(token !== null && url.origin === this.#base.origin && { authorization: `Bearer ${token}` }),
          ...headers,
        },
        body,
        signal: AbortSignal.any([...given, late.signal]),
      });
      if (expected(response.status)) return response;
      throw await this.#refusal(response, `${method} ${url.pathname}`);
    } catch (error) {
      if (error instanceof ApiProblem || error instanceof UnexpectedAnswer) throw error;
      for (const each of given) each.throwIfAborted();
      if (late.signal.aborted) throw new ApiTimeout(url.origin, timeoutMs);
      throw error instanceof ApiUnreachable ? error : new ApiUnreachable(url.origin, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  async #refusal(response: Response, what: string): Promise<Error> {
    const problem = Problem.safeParse(jsonOrNull(await this.#text(response)));
    if (!problem.success) return new UnexpectedAnswer(what, response.status);
    const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
    return new ApiProblem(problem.data, Number.isFinite(seconds) ? seconds * 1_000 : null);
  }

  async #text(response: Response): Promise<string> {
    try {
      return new TextDecoder().decode(await readBounded(response, JSON_BYTES_MAX));
    } catch (error) {
      throw error instanceof RangeError ? error : new ApiUnreachable(this.#base.origin, { cause: error });
    }
  }
}

/** A body of at most `bytesMax`; a RangeError beyond it. */
export async function readBounded(response: Response, bytesMax: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength;
    if (bytes > bytesMax) throw new RangeError(`an answer of ${response.url} is larger than ${bytesMax} bytes`);
    pieces.push(piece);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

function pathOf({ path }: Operation, { params = {}, query = {} }: AnyCall): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => encodeURIComponent(String(params[name])));
  const search = new URLSearchParams(texts(query)).toString();
  return search === "" ? filled : `${filled}?${search}`;
}

/** What is given, as text; lists by commas. */
function texts(values: Readonly<Record<string, unknown>> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
}

function contentTypeOf({ body, files, bytes, contentType }: AnyCall): Record<string, string> {
  if (bytes !== undefined) return { "content-type": contentType ?? "application/octet-stream" };
  // A form names its own boundary.
  return body === undefined || files !== undefined ? {} : { "content-type": "application/json" };
}

function bodyOf(operation: Operation, { body, files, bytes }: AnyCall): NonNullable<RequestInit["body"]> | null {
  if (bytes !== undefined) return bytes;
  if (body === undefined) return null;
  if (files === undefined) return JSON.stringify(body);
  const form = new FormData();
  form.set(operation.body?.multipartName ?? "body", JSON.stringify(body));
  for (const [name, file] of Object.entries(files)) form.set(name, file, name);
  return form;
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
