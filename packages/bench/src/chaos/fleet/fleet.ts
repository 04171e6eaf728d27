import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { TcpProxy } from "@genai/protocol/conformance";
import { freePort } from "@genai/testing";
import { TasksApi } from "../clients/tasks-api.ts";
import { LegacyNode } from "../nodes/legacy-node.ts";
import { NodeProcess } from "../processes/node-process.ts";
import { ServerProcess } from "../processes/server-process.ts";

/** A picture as small as a PNG can be. */
const PICTURE =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** How long a legacy node works on a task, and how long it waits before it connects again, in milliseconds. */
const LEGACY_WORK_MS = 300;
const LEGACY_PAUSE_MS = 1_000;

export interface FleetOptions {
  readonly nodes: number;
  readonly slots: number;
  /** What a step of the test engine takes, in milliseconds. */
  readonly stepMs: number;
  /** `comfyUI`: each node has a stand-in of ComfyUI beside it, as a process of its own. Default `test`: built in. */
  readonly engine?: "test" | "comfyUI";
  readonly legacyNodes?: number;
  /** More of the server's environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A server and nodes as the processes that they are, each node with a link of its own to the server, and legacy nodes beside them. */
export class Fleet implements AsyncDisposable {
  readonly server: ServerProcess;
  /** The server's folder. */
  readonly home: string;
  readonly nodes: readonly NodeProcess[];
  readonly legacyNodes: readonly LegacyNode[];
  readonly api: TasksApi;
  readonly #legacyLinks: readonly TcpProxy[];

  private constructor(
    server: ServerProcess,
    home: string,
    nodes: readonly NodeProcess[],
    legacyLinks: readonly TcpProxy[],
  ) {
    this.server = server;
    this.home = home;
    this.nodes = nodes;
    this.#legacyLinks = legacyLinks;
    this.legacyNodes = legacyLinks.map(({ port }, index) => legacyNode(port, index));
    this.api = new TasksApi(server.url);
  }

  /** Everything is kept below `folder`. */
  static async start(folder: string, options: FleetOptions): Promise<Fleet> {
    const port = await freePort();
    const home = join(folder, "server");
    mkdirSync(home);
    const logFile = join(folder, "server.log");
    const environment = options.environment ?? {};
    const server = await ServerProcess.start({ port, home, databaseUrl: null, logFile, environment });
    const args = ["--slots", String(options.slots), "--step-ms", String(options.stepMs)];
    const nodes: NodeProcess[] = [];
    for (let i = 0; i < options.nodes; i++) {
      const enginePort = options.engine === "comfyUI" ? await freePort() : null;
      nodes.push(new NodeProcess({ nodeId: `node-${i}`, link: await TcpProxy.to(port), folder, args, enginePort }));
    }
    const legacyLinks: TcpProxy[] = [];
    for (let i = 0; i < (options.legacyNodes ?? 0); i++) legacyLinks.push(await TcpProxy.to(port));
    return new Fleet(server, home, nodes, legacyLinks);
  }

  /** Every link between a node and the server. */
  get links(): readonly TcpProxy[] {
    return [...this.nodes.map(({ link }) => link), ...this.#legacyLinks];
  }

  /** The only node. */
  get node(): NodeProcess {
    const [node, ...others] = this.nodes;
    if (node === undefined || others.length > 0) throw new Error(`The fleet has ${this.nodes.length} nodes.`);
    return node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.legacyNodes) node[Symbol.dispose]();
    for (const node of this.nodes) await node[Symbol.asyncDispose]();
    for (const link of this.#legacyLinks) await link[Symbol.asyncDispose]();
    await this.server.kill();
  }
}

function legacyNode(port: number, index: number): LegacyNode {
  const work = { durationMs: () => LEGACY_WORK_MS, pauseMs: () => LEGACY_PAUSE_MS, given: () => {} };
  return new LegacyNode({ port, nodeId: `legacy-${index}`, work, pictureOf: () => PICTURE });
}
