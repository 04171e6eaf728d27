import { lookup as resolve } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import type { Agent, Dispatcher, request } from "undici";
import type { AddressPolicy } from "./address-policy.ts";

/** A request that is not made, because of where it would go. */
export class EgressRefused extends Error {
  override readonly name = "EgressRefused";
}

/** An answer, read whole and bounded. */
interface EgressAnswer {
  readonly status: number;
  /** Lower-case names; the last of repeated headers. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

interface EgressRequest {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The whole request, answer included, in milliseconds. */
  readonly timeoutMs: number;
  /** Longest answer that is read, in bytes; a longer one rejects. */
  readonly bytesMax: number;
  /** Only status and headers count: the body comes back empty, and however long it is, the answer is one. */
  readonly discardBody?: boolean;
}

/** The one way out: webhooks, image URLs and keys of issuers are fetched through this, and nothing else leaves the server. */
export interface Egress {
  /** Rejects with {@link EgressRefused} where the URL or what it resolves to is not allowed. Redirects are answers, never followed. */
  fetch(url: string, request: EgressRequest): Promise<EgressAnswer>;
  /** Whether a URL could be allowed at all, without looking it up; a sentence why not, or null. */
  objection(url: string): string | null;
  close(): Promise<void>;
}

/** Ports that a public URL may name. A webhook on 25 or 6379 is an attack on somebody else. */
const PORTS = new Set(["", "80", "443", "8080", "8443"]);

const ADVICE = "An administrator can allow it with EGRESS_ALLOW.";

type Resolver = (
  host: string,
  options: { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: { address: string; family: number }[]) => void,
) => void;

interface Client {
  readonly agent: Agent;
  readonly request: typeof request;
}

/** Makes the way out. Each connection looks its host up once, refuses if any of the addresses is not allowed (so that a mixed
 *  answer can't slip one in), and connects to what it looked up; literal addresses, for which no lookup runs, are judged before. */
export function createEgress(policy: AddressPolicy, options: { readonly resolver?: Resolver } = {}): Egress {
  const resolver: Resolver = options.resolver ?? ((host, how, done) => resolve(host, how, done));
  const lookup: LookupFunction = (host, how, done) => {
    resolver(host, { all: true }, (error, addresses) => {
      if (error !== null) return done(error, "");
      const refused = policy.allowsHost(host)
        ? undefined
        : addresses.find(({ address }) => !policy.allowsAddress(address));
      if (refused !== undefined || addresses.length === 0) {
        return done(
          new EgressRefused(`${host} is at ${refused?.address ?? "no address"}, which is not on the public internet.`),
          "",
        );
      }
      const first = addresses[0] as { address: string; family: number };
      if (how.all) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };
  let client: Promise<Client> | null = null;
  let closed = false;

  const objection = (text: string): string | null => {
    if (text.length > 8_192) return "The URL is longer than 8192 characters.";
    if (!URL.canParse(text)) return "The URL can't be read.";
    const url = new URL(text);
    if (url.protocol !== "https:" && url.protocol !== "http:")
      return `The URL's scheme is ${url.protocol.slice(0, -1)}; http and https are possible.`;
    if (url.username !== "" || url.password !== "") return "The URL carries a user name or a password.";
    const host = url.hostname.replace(/^\[|\]$/g, "");
    if (policy.allowsHost(host)) return null;
    if (isIP(host) !== 0) {
      if (policy.isOwn(host)) return null;
      if (!policy.allowsAddress(host)) return `${host} is not on the public internet. ${ADVICE}`;
    } else if (host === "localhost" || host.endsWith(".localhost") || !host.includes(".")) {
      return `${host} is not on the public internet. ${ADVICE}`;
    }
    // Only what the operator allows may be on another port.
    if (!PORTS.has(url.port)) return `Port ${url.port} is not one that is asked from here. ${ADVICE}`;
    return null;
  };

  return {
    objection,
    fetch: async (url, { method = "GET", headers = {}, body, timeoutMs, bytesMax, discardBody = false }) => {
      const why = objection(url);
      if (why !== null) throw new EgressRefused(why);
      if (closed) throw new Error("The way out is closed.");
      const signal = AbortSignal.timeout(timeoutMs);
      client ??= openClient(lookup);
      const { agent, request } = await client;
      const answer = await request(url, {
        dispatcher: agent,
        method,
        headers: { "user-agent": "genai", ...headers },
        body: body ?? null,
        signal,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      });
      return {
        status: answer.statusCode,
        headers: Object.fromEntries(
          Object.entries(answer.headers).map(([name, value]) => [
            name,
            Array.isArray(value) ? (value.at(-1) ?? "") : (value ?? ""),
          ]),
        ),
        body: discardBody ? await discarded(answer.body, bytesMax) : await readBounded(answer.body, bytesMax),
      };
    },
    close: async () => {
      closed = true;
      await (await client)?.agent.destroy();
    },
  };
}

/** Loaded with the first request: a server's start does not wait for what most of them never use. */
async function openClient(lookup: LookupFunction): Promise<Client> {
  const undici = await import("undici");
  const agent = new undici.Agent({
    connect: { lookup, timeout: 10_000 },
    pipelining: 1,
    connections: 16,
    keepAliveTimeout: 4_000,
  });
  return { agent, request: undici.request };
}

/** A short body is read to its end, which leaves the connection usable. */
async function discarded(body: Dispatcher.ResponseData["body"], bytesMax: number): Promise<Buffer> {
  await body.dump({ limit: bytesMax }).catch(() => undefined);
  return Buffer.alloc(0);
}

async function readBounded(body: Dispatcher.ResponseData["body"], bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      body.destroy();
      throw new EgressRefused(`The answer is longer than ${bytesMax} bytes.`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
