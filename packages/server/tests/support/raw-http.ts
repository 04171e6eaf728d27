import { type IncomingHttpHeaders, request } from "node:http";

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON; throws where it is none. */
  json(): Record<string, unknown>;
}

/** One HTTP exchange by node:http: no redirects, no retries, no headers but those given. */
export async function rawHttp(
  method: string,
  url: string,
  { headers = {}, body }: { readonly headers?: Record<string, string>; readonly body?: string | Buffer } = {},
): Promise<RawAnswer> {
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent: false }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          text,
          json: () => JSON.parse(text) as Record<string, unknown>,
        });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** A POST of JSON. */
export async function postJson(url: string, value: unknown, headers: Record<string, string> = {}): Promise<RawAnswer> {
  return await rawHttp("POST", url, {
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(value),
  });
}
