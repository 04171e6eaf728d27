import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HOOKS = new URL("../../../../.ci/typescript-hooks.js", import.meta.url).href;
const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

interface NodeProcessOptions {
  readonly env?: Record<string, string>;
  readonly home?: string;
  /** A built program in place of the sources. */
  readonly main?: string;
}

/** The node's program as its own process, with a home that goes with it. */
export class NodeProcess {
  readonly home: string;
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly #ended: Promise<unknown>;

  constructor(flags: readonly string[], options: NodeProcessOptions = {}) {
    this.home = options.home ?? mkdtempSync(join(tmpdir(), "genai-node-"));
    const { PATH = "" } = process.env;
    this.child = spawn(
      process.execPath,
      [...(options.main === undefined ? ["--import", HOOKS, MAIN] : [options.main]), ...flags],
      {
        stdio: ["ignore", "pipe", "pipe"],
        env: { PATH, LOG_LEVEL: "info", GENAI_NODE_HOME: this.home, ...options.env },
      },
    );
    this.child.stdout?.on("data", (data) => {
      this.stdout += data;
    });
    this.child.stderr?.on("data", (data) => {
      this.stderr += data;
    });
    this.#ended = once(this.child, "close");
  }

  signal(name: "SIGTERM" | "SIGINT"): void {
    this.child.kill(name);
  }

  /** Waits for its end and gives its exit code. */
  async ended(): Promise<number | null> {
    await this.#ended;
    return this.child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGKILL");
    await this.#ended;
    rmSync(this.home, { recursive: true, force: true });
  }
}
