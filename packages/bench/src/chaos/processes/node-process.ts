import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { TcpProxy } from "@genai/protocol/conformance";
import { Program } from "./program.ts";
import { comfyUiStandIn, programOf } from "./programs.ts";

/** A result as the node's log tells of it: from here on it is on the node's disk. */
interface DiskResult {
  readonly attemptId: string;
  readonly atMs: number;
}

/** A node as it is shipped, with a link of its own to the server. */
export class NodeProcess implements AsyncDisposable {
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
    this.start();
  }

  /** Starts what of it does not run. */
  start(): void {
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
