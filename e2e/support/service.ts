import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, Program, until } from "@genai/testing";

/** A server with its home in a folder of its own, and nodes with the test engine beside it, all as processes. */
export class Service implements AsyncDisposable {
  readonly home = mkdtempSync(join(tmpdir(), "genai-e2e-"));
  readonly port: number;
  readonly #env: Readonly<Record<string, string>>;
  readonly #nodes: Program[] = [];
  #server: Program | null = null;

  private constructor(port: number, env: Readonly<Record<string, string>>) {
    this.port = port;
    this.#env = env;
  }

  /** Starts the server and as many test nodes as asked, and waits until all are there. */
  static async start(options: { readonly nodes?: number; readonly env?: Readonly<Record<string, string>> } = {}) {
    const service = new Service(await freePort(), options.env ?? {});
    try {
      await service.startServer();
      for (let n = 0; n < (options.nodes ?? 1); n += 1) service.startNode([]);
      await service.nodesOnline(options.nodes ?? 1);
    } catch (error) {
      await service[Symbol.asyncDispose]();
      throw error;
    }
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The administrator's key, which the server made on its first start. */
  get adminKey(): string {
    return readFileSync(join(this.home, "admin.key"), "utf8").trim();
  }

  get server(): Program {
    if (this.#server === null) throw new Error("The server was not started.");
    return this.#server;
  }

  /** Starts the server, again where it has ended, on the same folder and port; `env` beside what it had at first. */
  async startServer(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const server = new Program("server", {
      env: { HTTP_PORT: String(this.port), GENAI_HOME: this.home, LOG_LEVEL: "warn", ...this.#env, ...env },
    });
    this.#server = server;
    await until("the server answers", () => {
      if (server.hasEnded) throw new Error(`The server ended: ${server.output}`);
      return answersWell(`${this.url}/readyz`);
    });
  }

  startNode(args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
    const home = join(this.home, `node-${this.#nodes.length}`);
    const node = new Program("node", { args: ["-b", `ws://127.0.0.1:${this.port}`, "--home", home, ...args], env });
    this.#nodes.push(node);
    return node;
  }

  async nodesOnline(count: number): Promise<void> {
    if (count === 0) return;
    await until(`${count} nodes are online`, async () => {
      const answer = await this.get("/v1/nodes/health/");
      return ((await answer.json()) as { availableNodesCount: number }).availableNodesCount >= count;
    });
  }

  /** A GET as the administrator. */
  get(path: string): Promise<Response> {
    return fetch(new URL(path, this.url), {
      headers: { authorization: `Bearer ${this.adminKey}` },
      signal: AbortSignal.timeout(30_000),
    });
  }

  /** A POST of JSON as the administrator. */
  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(new URL(path, this.url), {
      method: "POST",
      headers: { authorization: `Bearer ${this.adminKey}`, "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(120_000),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of [...this.#nodes, this.#server]) await program?.[Symbol.asyncDispose]();
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Whether a GET of `url` is answered with a success. */
async function answersWell(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}
