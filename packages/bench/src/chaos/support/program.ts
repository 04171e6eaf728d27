import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, closeSync, openSync } from "node:fs";
import { createInterface } from "node:readline";

/** One line of a program's log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** A program of ours as a real process that can be killed at any moment and started again. Its log is kept in a file and read as it comes. */
export class Program implements AsyncDisposable {
  readonly #args: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  readonly #logFile: string;
  readonly #onLine: (line: LogLine) => void;
  #process: ChildProcess | null = null;

  constructor(options: {
    /** Of node: the script and what it is told; options of node itself before it. */
    readonly args: readonly string[];
    readonly environment?: Readonly<Record<string, string>>;
    readonly logFile: string;
    readonly onLine?: (line: LogLine) => void;
  }) {
    this.#args = options.args;
    this.#environment = options.environment ?? {};
    this.#logFile = options.logFile;
    this.#onLine = options.onLine ?? (() => {});
  }

  get isRunning(): boolean {
    return this.#process !== null && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  start(): void {
    if (this.isRunning) return;
    const errors = openSync(this.#logFile, "a");
    const child = spawn(process.execPath, this.#args, {
      stdio: ["ignore", "pipe", errors],
      env: { ...process.env, ...this.#environment },
    });
    closeSync(errors);
    this.#process = child;
    if (child.stdout === null) throw new Error("The program's output was to be a pipe.");
    createInterface({ input: child.stdout }).on("line", (text) => this.#read(text));
  }

  /** kill -9, with no word of warning. Resolves when the process is gone. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** Asks it to end in order. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #read(text: string): void {
    appendFileSync(this.#logFile, `${text}\n`);
    try {
      this.#onLine(JSON.parse(text) as LogLine);
    } catch (error) {
      // A process that is killed may leave half a line.
      if (!(error instanceof SyntaxError)) throw error;
    }
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#process;
    if (child === null || !this.isRunning) return;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  }
}
