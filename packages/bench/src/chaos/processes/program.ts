import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, closeSync, openSync } from "node:fs";
import { createInterface } from "node:readline";

/** One line of a program's log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** A program of ours as a real process that can be killed at any moment and started again. Its log is kept in a file and read as it comes. */
export class Program implements AsyncDisposable {
  readonly #args: readonly string[];
  readonly #environment: NodeJS.ProcessEnv;
  readonly #onLine: (line: LogLine) => void;
  readonly logFile: string;
  #process: ChildProcess | null = null;
  #startedAtMs = Number.NaN;
  #ending = false;

  constructor(options: {
    /** Of node: the script and what it is told; options of node itself before it. */
    readonly args: readonly string[];
    /** All of its environment beside PATH. */
    readonly environment?: NodeJS.ProcessEnv;
    readonly logFile: string;
    readonly onLine?: (line: LogLine) => void;
  }) {
    this.#args = options.args;
    this.#environment = { PATH: process.env.PATH, ...options.environment };
    this.logFile = options.logFile;
    this.#onLine = options.onLine ?? (() => {});
  }

  get isRunning(): boolean {
    return this.#process !== null && this.exitCode === null && this.#process.signalCode === null;
  }

  /** Null while it runs, and where a signal ended it. */
  get exitCode(): number | null {
    return this.#process?.exitCode ?? null;
  }

  /** True where it ended without having been told to. */
  get diedByItself(): boolean {
    return this.#process !== null && !this.isRunning && !this.#ending;
  }

  get pid(): number {
    if (this.#process?.pid === undefined) throw new Error("The program was not started.");
    return this.#process.pid;
  }

  /** When it was started last, by `performance.now()`. */
  get startedAtMs(): number {
    return this.#startedAtMs;
  }

  start(): void {
    if (this.isRunning) return;
    const errors = openSync(this.logFile, "a");
    this.#startedAtMs = performance.now();
    this.#ending = false;
    const child = spawn(process.execPath, this.#args, {
      stdio: ["ignore", "pipe", errors],
      env: this.#environment,
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

  /** It stands still until it may go on. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  goOn(): void {
    this.#process?.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #read(text: string): void {
    appendFileSync(this.logFile, `${text}\n`);
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
    this.#ending = true;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  }
}
