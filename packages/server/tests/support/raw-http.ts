import { type Agent, type IncomingHttpHeaders, request } from "node:http";
import { mustBeDocumented } from "./documented.ts";

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON; throws where it is none. */
  json(): Record<string, unknown>;
}

/** One HTTP exchange by node:http: no redirects, no retries, no headers but those given. Rejects where the answer is not as
 *  the OpenAPI document describes it. */
export async function rawHttp(
  method: string,
  url: string,
  {
    headers = {},
    body,
    agent = false,
  }: {
    readonly headers?: Record<string, string>;
    readonly body?: string | Buffer;
    readonly agent?: Agent | false;
  } = {},
): Promise<RawAnswer> {
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        try {
          mustBeDocumented(method, url, { status: incoming.statusCode ?? 0, headers: incoming.headers, text });
        } catch (error) {
          reject(error);
        }
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
