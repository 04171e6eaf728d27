export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed where it is JSON, else null. */
  readonly body: unknown;
  /** How long it took, in milliseconds. */
  readonly afterMs: number;
}

/** Asks over HTTP; null where no whole answer came: refused, cut off, or late. What became of the request is then unknown. */
export async function ask(
  url: string,
  options: {
    readonly method?: "GET" | "POST" | "PUT" | "DELETE";
    readonly headers?: Readonly<Record<string, string>>;
    readonly json?: unknown;
    readonly bytes?: Uint8Array;
    readonly timeoutMs?: number;
  } = {},
): Promise<Answer | null> {
  const { method = "GET", headers = {}, json, bytes, timeoutMs = 20_000 } = options;
  const startedAtMs = performance.now();
  const body = json === undefined ? bytes : JSON.stringify(json);
  try {
    const response = await fetch(url, {
      method,
      headers: json === undefined ? headers : { "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    const afterMs = performance.now() - startedAtMs;
    return { status: response.status, headers: response.headers, body: jsonOf(text), afterMs };
  } catch {
    // Whatever went wrong on the way, the caller knows as much: nothing.
    return null;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
