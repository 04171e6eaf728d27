import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Program } from "@genai/testing";

interface NodeProcessOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly home?: string;
}

/** The node's program, as it was built last, as its own process with a home that goes with it. */
export class NodeProcess implements AsyncDisposable {
  readonly home: string;
  readonly program: Program;

  constructor(flags: readonly string[], options: NodeProcessOptions = {}) {
    this.home = options.home ?? mkdtempSync(join(tmpdir(), "genai-node-"));
    const env = { LOG_LEVEL: "info", GENAI_NODE_HOME: this.home, ...options.env };
    this.program = new Program("node", { args: flags, env });
  }

  /** Waits for its end and gives its exit code. */
  async ended(): Promise<number | null> {
    return (await this.program.exit).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    rmSync(this.home, { recursive: true, force: true });
  }
}
