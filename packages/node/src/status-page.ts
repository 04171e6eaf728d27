import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Capabilities } from "@genai/protocol";

/** How the node stands. Nothing of a task's content. */
export interface NodeStatus {
  readonly nodeId: string;
  /** `registered` (protocol 2) and `v1` are connected. */
  readonly connection: string;
  readonly attempts: readonly { readonly attemptId: string; readonly state: string; readonly progress: number }[];
  readonly capabilities: Capabilities;
}

const HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
};

/** Serves `/` (a page), `/status` (JSON) and `/healthz` (200 while connected with a ready engine, else 503) on 127.0.0.1 alone.
 *  Rejects with a sentence where it can't have the port. */
export async function serveStatus(
  port: number,
  status: () => NodeStatus,
): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((request, response) => answer(request, response, status));
  server.listen(port, "127.0.0.1");
  await once(server, "listening").catch((error: NodeJS.ErrnoException) => {
    const why = error.code === "EADDRINUSE" ? "it is in use" : error.code;
    const sentence = `The status page can't have port ${port} (--status-port): ${why}. Choose another, or 0.`;
    throw new Error(sentence, { cause: error });
  });
  return { port: (server.address() as AddressInfo).port, close: () => closed(server) };
}

function answer(request: IncomingMessage, response: ServerResponse, status: () => NodeStatus): void {
  const [code, type, text] = reply(request, status);
  response.writeHead(code, { ...HEADERS, "content-type": type }).end(request.method === "HEAD" ? "" : text);
}

function reply({ headers, method, url }: IncomingMessage, status: () => NodeStatus): [number, string, string] {
  const nothing = (code: number): [number, string, string] => [code, "text/plain", ""];
  // A page of somebody else's that a browser was led to under another name of this address may read nothing here.
  if (!/^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/.test(headers.host ?? "")) return nothing(403);
  if (method !== "GET" && method !== "HEAD") return nothing(405);
  const now = status();
  switch ((url ?? "").split("?")[0]) {
    case "/":
      return [200, "text/html; charset=utf-8", page(now)];
    case "/status":
      return [200, "application/json", JSON.stringify(now)];
    case "/healthz": {
      const healthy = ["registered", "v1"].includes(now.connection) && now.capabilities.ready;
      return [healthy ? 200 : 503, "application/json", JSON.stringify({ healthy })];
    }
    default:
      return nothing(404);
  }
}

function page({ nodeId, connection, attempts, capabilities }: NodeStatus): string {
  const { engine, engineVersion, ready, gpuType, gpuCount, models, warmModel, minCost } = capabilities;
  const rows = {
    Node: nodeId,
    Connection: connection,
    Engine: `${engine} ${engineVersion ?? ""}`,
    Ready: ready ? "yes" : "no",
    GPU: gpuType === null ? "none" : `${gpuCount} × ${gpuType}`,
    Models: models.length,
    "Warm model": warmModel ?? "-",
    Price: minCost,
    Attempts: attempts.length,
  };
  const row = (name: string, value: unknown): string =>
    `<tr><th>${escaped(name)}</th><td>${escaped(String(value))}</td></tr>`;
  const running = attempts.map(({ attemptId, state, progress }) =>
    row(attemptId, `${state} ${Math.round(progress * 100)} %`),
  );
  return `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>genai node</title>
<style>body{font:16px system-ui;margin:2rem}th{text-align:left;padding-right:1rem}</style>
<h1>genai node</h1><table>${Object.entries(rows)
    .map(([name, value]) => row(name, value))
    .join("")}${running.join("")}</table>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

async function closed(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, "close");
}
