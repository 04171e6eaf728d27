import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";

/** How long a started process has to answer on its port, in milliseconds. */
const START_MS_MAX = 60_000;

/** A process that serves HTTP on a port, started and ended by a bench. */
export class Child {
  readonly #process: ChildProcess;
  readonly port: number;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  /** Starts a script of ours and waits until it answers HTTP. */
  static async start(
    script: string,
    args: readonly string[],
    options: {
      readonly port: number;
      readonly env?: Readonly<Record<string, string>>;
      /** Options of node itself. */
      readonly nodeArgs?: readonly string[];
    },
  ): Promise<Child> {
    const process_ = spawn(process.execPath, [...(options.nodeArgs ?? []), script, ...args], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { ...process.env, ...options.env },
    });
    const child = new Child(process_, options.port);
    const givenUpAtMs = performance.now() + START_MS_MAX;
    while (!(await child.#answers())) {
      if (process_.exitCode !== null) throw new Error(`${script} ended with ${process_.exitCode}.`);
      if (performance.now() > givenUpAtMs) throw new Error(`${script} does not answer on port ${options.port}.`);
      await setTimeout(5);
    }
    return child;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** What it holds after a collection. Only of a server that was started with `memoryReports`. */
  async memory(): Promise<NodeJS.MemoryUsage> {
    const answered = once(this.#process, "message", { signal: AbortSignal.timeout(START_MS_MAX) });
    this.#process.send("memory");
    const [usage] = (await answered) as [NodeJS.MemoryUsage];
    return usage;
  }

  async end(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill(signal);
    await ended;
  }

  async #answers(): Promise<boolean> {
    try {
      await fetch(`http://127.0.0.1:${this.port}/v1/client/hello/`, { signal: AbortSignal.timeout(1_000) });
      return true;
    } catch {
      return false;
    }
  }
}
