import { lookup as resolve } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { Agent, request } from "undici";
import { dropBody } from "./drop-body.ts";

const BYTES_MAX = 64 * 1024 * 1024;
const TIMEOUT_MS = 30_000;

/** Ports that a public URL may name: a picture on 25 or 6379 is an attack on somebody else. */
const PORTS = new Set(["", "80", "443", "8080", "8443"]);

type Resolver = (
  host: string,
  options: { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: { address: string; family: number }[]) => void,
) => void;

/** Fetches input images that tasks name by URL. Tasks come from strangers, and this machine's network is not theirs: only addresses of the
 *  public internet are connected to, on the web's own ports, unless `allowPrivate`; redirects are not followed. Rejects with a sentence. */
export function createInputFetcher(options: { readonly allowPrivate: boolean; readonly resolver?: Resolver }) {
  const resolver: Resolver = options.resolver ?? ((host, how, done) => resolve(host, how, done));
  const lookup: LookupFunction = (host, how, done) => {
    resolver(host, { all: true }, (error, addresses) => {
      if (error !== null) return done(error, "");
      const refused = addresses.find(({ address }) => !options.allowPrivate && !isPublic(address));
      const [first] = addresses;
      if (refused !== undefined || first === undefined)
        return done(new Error(`${host} is not on the public internet`), "");
      if (how.all) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };
  const agent = new Agent({ connect: { lookup, timeout: 5_000 }, connections: 4 });

  return async (text: string, signal: AbortSignal): Promise<Buffer> => {
    if (!URL.canParse(text)) throw new Error("the URL can't be read");
    const url = new URL(text);
    if (url.protocol !== "https:" && url.protocol !== "http:") throw new Error("only http and https are fetched");
    if (url.username !== "" || url.password !== "") throw new Error("the URL carries a user name or a password");
    const host = url.hostname.replace(/^\[|\]$/g, "");
    if (!options.allowPrivate) {
      // No lookup runs for a literal address: it is judged here. Names without a dot are of this machine's own network.
      if (isIP(host) !== 0 ? !isPublic(host) : isLocalName(host))
        throw new Error(`${host} is not on the public internet`);
      if (!PORTS.has(url.port)) throw new Error(`port ${url.port} is not one that is asked from here`);
    }
    const answer = await request(url, {
      dispatcher: agent,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    if (answer.statusCode !== 200) {
      dropBody(answer.body);
      throw new Error(`${url.host} answered ${answer.statusCode}`);
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > BYTES_MAX) throw new Error(`the image is larger than ${BYTES_MAX} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  };
}

function isLocalName(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || !host.includes(".");
}

const GLOBAL_IPV6 = ipaddr.parseCIDR("2000::/3");

function isPublic(text: string): boolean {
  const address = ipaddr.parse(text);
  return address.range() === "unicast" && (address.kind() === "ipv4" || address.match(GLOBAL_IPV6));
}
