import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

interface NodeProcessOptions {
  readonly env?: Record<string, string>;
  readonly home?: string;
}

/** The node's program, as it was built last, as its own process with a home that goes with it. */
export class NodeProcess {
  readonly home: string;
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly #ended: Promise<unknown>;

  constructor(flags: readonly string[], options: NodeProcessOptions = {}) {
    if (!existsSync(MAIN)) throw new Error("Build first: npm run build.");
    this.home = options.home ?? mkdtempSync(join(tmpdir(), "genai-node-"));
    const { PATH = "" } = process.env;
    this.child = spawn(process.execPath, [MAIN, ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH, LOG_LEVEL: "info", GENAI_NODE_HOME: this.home, ...options.env },
    });
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
