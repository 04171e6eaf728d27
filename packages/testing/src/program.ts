import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Root of the checkout. */
export const root = fileURLToPath(new URL("../../..", import.meta.url));

/** How a program ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface ProgramOptions {
  readonly args?: readonly string[];
  /** Beside PATH: nothing of this process's own environment reaches the program, so that a test is the same everywhere. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Most of a program's output that is kept, in characters; the newest. */
const OUTPUT_CHARS_MAX = 1_000_000;

/** One of our programs as it is shipped and was built last, in a process of its own. Disposing of it kills what still runs. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exit: Promise<Exit>;
  #output = "";
  #stdout = "";

  constructor(name: "server" | "node" | "scaler" | "cli", options: ProgramOptions = {}) {
    const main = `${root}/packages/${name}/dist/main.js`;
    if (!existsSync(main)) throw new Error("Build first: npm run build.");
    this.#child = spawn(process.execPath, [main, ...(options.args ?? [])], {
      cwd: options.cwd ?? root,
      env: { PATH: process.env.PATH, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout = (this.#stdout + text).slice(-OUTPUT_CHARS_MAX);
      this.#output = (this.#output + text).slice(-OUTPUT_CHARS_MAX);
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#output = (this.#output + text).slice(-OUTPUT_CHARS_MAX);
    });
    this.#exit = once(this.#child, "close").then(([code, signal]) => ({ code, signal }));
  }

  /** What it has printed so far, both streams as they came. */
  get output(): string {
    return this.#output;
  }

  /** Of it, what came by standard output alone. */
  get stdout(): string {
    return this.#stdout;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Resolves when it has ended and all of its output is here. */
  get exit(): Promise<Exit> {
    return this.#exit;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it, by SIGTERM unless told otherwise, and says how it went. */
  end(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    if (!this.hasEnded) this.#child.kill(signal);
    return this.#exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }
}
