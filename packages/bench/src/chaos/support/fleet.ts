import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TcpProxy } from "@genai/protocol/conformance";
import { freePort } from "@genai/testing";
import { serverEnvironment } from "../../support/server-environment.ts";
import { comfyUiStandIn, programOf } from "../programs.ts";
import { LegacyNode } from "./legacy-node.ts";
import { Program } from "./program.ts";
import { TasksApi } from "./tasks-api.ts";

/** A result as the node's log tells of it: from here on it is on the node's disk. */
export interface DiskResult {
  readonly attemptId: string;
  readonly atMs: number;
}

/** A node as a real process, with a bad network between it and the server. */
export class FleetNode implements AsyncDisposable {
  readonly nodeId: string;
  readonly link: TcpProxy;
  readonly program: Program;
  /** The engine beside it, where it is a process of its own. */
  readonly engine: Program | null;
  /** Every result that reached its disk, in order. */
  readonly onDisk: DiskResult[] = [];
  readonly #home: string;

  constructor(options: {
    readonly nodeId: string;
    readonly link: TcpProxy;
    readonly folder: string;
    readonly args: readonly string[];
    /** Port of its ComfyUI, or null for the engine that is built in. */
    readonly enginePort: number | null;
  }) {
    const { nodeId, link, folder, enginePort } = options;
    this.nodeId = nodeId;
    this.link = link;
    this.#home = join(folder, nodeId);
    this.engine =
      enginePort === null
        ? null
        : new Program({ args: comfyUiStandIn(enginePort), logFile: join(folder, `${nodeId}-engine.log`) });
    const type = enginePort === null ? ["-t", "test"] : ["-t", "comfyUI", "-i", `http://127.0.0.1:${enginePort}`];
    const identity = ["--node-id", nodeId, "--home", this.#home];
    this.program = new Program({
      args: [programOf("node"), "-b", `ws://127.0.0.1:${link.port}`, ...identity, ...type, ...options.args],
      logFile: join(folder, `${nodeId}.log`),
      onLine: ({ msg, attemptId }) => {
        if (msg === "attempt succeeded") this.onDisk.push({ attemptId: String(attemptId), atMs: Date.now() });
      },
    });
    this.engine?.start();
    this.program.start();
  }

  /** Results on its disk that no server has acknowledged. */
  undelivered(): number {
    try {
      return readdirSync(join(this.#home, "spool")).length;
    } catch {
      return 0;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.kill();
    await this.engine?.kill();
    await this.link[Symbol.asyncDispose]();
  }
}

export interface FleetOptions {
  readonly nodes: number;
  readonly slots: number;
  /** What a step of the test engine takes, in milliseconds. */
  readonly stepMs: number;
  /** `comfyUI`: each node has a stand-in of ComfyUI beside it, as a process of its own. Default `test`: built in. */
  readonly engine?: "test" | "comfyUI";
  readonly legacyNodes?: number;
  /** What a legacy node takes for a task, in milliseconds. */
  readonly legacyWorkMs?: number;
  /** More of the server's environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A server, nodes that reach it each by a link of its own, and legacy nodes beside them; all of it in a folder that goes with it. */
export class Fleet implements AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  readonly server: Program;
  readonly nodes: readonly FleetNode[];
  readonly legacyNodes: readonly LegacyNode[];
  readonly api: TasksApi;
  readonly #legacyLinks: readonly TcpProxy[];

  private constructor(
    folder: string,
    port: number,
    server: Program,
    nodes: readonly FleetNode[],
    legacyLinks: readonly TcpProxy[],
    legacyNodes: readonly LegacyNode[],
  ) {
    this.folder = folder;
    this.port = port;
    this.server = server;
    this.nodes = nodes;
    this.legacyNodes = legacyNodes;
    this.#legacyLinks = legacyLinks;
    this.api = new TasksApi(port);
  }

  static async start(options: FleetOptions): Promise<Fleet> {
    const folder = mkdtempSync(join(tmpdir(), "genai-fleet-"));
    const port = await freePort();
    const home = join(folder, "server");
    mkdirSync(home);
    const server = new Program({
      args: [programOf("server")],
      environment: {
        ...serverEnvironment({ port, home, databaseUrl: null }),
        ...options.environment,
      },
      logFile: join(folder, "server.log"),
    });
    server.start();
    await new TasksApi(port).untilReady();
    const args = ["--slots", String(options.slots), "--step-ms", String(options.stepMs)];
    const nodes: FleetNode[] = [];
    for (let i = 0; i < options.nodes; i++) {
      const enginePort = options.engine === "comfyUI" ? await freePort() : null;
      nodes.push(new FleetNode({ nodeId: `node-${i}`, link: await TcpProxy.to(port), folder, args, enginePort }));
    }
    const legacyLinks: TcpProxy[] = [];
    const legacyNodes: LegacyNode[] = [];
    for (let i = 0; i < (options.legacyNodes ?? 0); i++) {
      const link = await TcpProxy.to(port);
      legacyLinks.push(link);
      legacyNodes.push(new LegacyNode({ nodeId: `legacy-${i}`, port: link.port, workMs: options.legacyWorkMs ?? 300 }));
    }
    return new Fleet(folder, port, server, nodes, legacyLinks, legacyNodes);
  }

  /** Every link between a node and the server. */
  get links(): readonly TcpProxy[] {
    return [...this.nodes.map(({ link }) => link), ...this.#legacyLinks];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.legacyNodes) await node[Symbol.asyncDispose]();
    for (const node of this.nodes) await node[Symbol.asyncDispose]();
    for (const link of this.#legacyLinks) await link[Symbol.asyncDispose]();
    await this.server.kill();
    if (process.env.KEEP_FLEET !== "true") rmSync(this.folder, { recursive: true, force: true });
    else console.info(`kept in ${this.folder}`);
  }
}
