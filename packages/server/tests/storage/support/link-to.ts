import { TcpProxy } from "@genai/protocol/conformance";

/** A link to a database that can be broken, and the database's URL over it. Whoever makes it closes the proxy. */
export async function linkTo(databaseUrl: string): Promise<{ readonly proxy: TcpProxy; readonly url: string }> {
  const url = new URL(databaseUrl);
  const proxy = await TcpProxy.to(Number(url.port), url.hostname);
  url.host = `127.0.0.1:${proxy.port}`;
  return { proxy, url: url.href };
}
