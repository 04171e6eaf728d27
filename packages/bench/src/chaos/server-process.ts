import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { serverEnvironment } from "../support/server-environment.ts";
import { ask } from "./ask.ts";
import { programOf } from "./programs.ts";

/** How long a started server has to answer, in milliseconds. */
const START_MS_MAX = 30_000;

export interface ServerOptions {
  readonly home: string;
  readonly databaseUrl: string | null;
  readonly port: number;
  /** Its log goes there. */
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A server as it is shipped, in a process that a trial may kill, stop and let go on. */
export class ServerProcess {
  readonly #process: ChildProcess;
  readonly startedAtMs = performance.now();
  readonly #options: ServerOptions;
  readonly #exited: Promise<void>;
  #killed = false;

  constructor(options: ServerOptions) {
    this.#options = options;
    const log = openSync(options.logFile, "a");
    this.#process = spawn(process.execPath, [programOf("server")], {
      stdio: ["ignore", log, log],
      env: {
        PATH: process.env.PATH,
        LOG_LEVEL: "warn",
        HOST: "127.0.0.1",
        ...serverEnvironment(options),
        ...options.env,
      },
    });
    closeSync(log);
    this.#exited = once(this.#process, "exit").then(() => undefined);
  }

  static async start(options: ServerOptions): Promise<ServerProcess> {
    const server = new ServerProcess(options);
    await server.ready();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#options.port}`;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** True where it ended without having been told to. */
  get diedByItself(): boolean {
    return !this.#killed && (this.#process.exitCode !== null || this.#process.signalCode !== null);
  }

  /** Resolves once it takes work. Throws where it ends before, or the time is up. */
  async ready(): Promise<void> {
    while (performance.now() - this.startedAtMs < START_MS_MAX) {
      if (this.#process.exitCode !== null) {
        throw new Error(`The server ended with ${this.#process.exitCode}; its log is ${this.#options.logFile}.`);
      }
      const answer = await ask(`${this.url}/readyz`, { timeoutMs: 3_000 });
      if (answer?.status === 200) return;
      await setTimeout(5);
    }
    throw new Error(`The server was not ready within ${START_MS_MAX} ms; its log is ${this.#options.logFile}.`);
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process.kill(signal);
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#killed = true;
    this.#process.kill(signal);
    await this.#exited;
  }
}
