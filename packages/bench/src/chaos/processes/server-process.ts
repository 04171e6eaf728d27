import { setTimeout } from "node:timers/promises";
import { serverEnvironment } from "../../support/server-environment.ts";
import { ask } from "../clients/ask.ts";
import { Program } from "./program.ts";
import { programOf } from "./programs.ts";

/** How long a started server has to answer, in milliseconds. */
const START_MS_MAX = 30_000;

export interface ServerOptions {
  readonly home: string;
  /** Null for SQLite in its home. */
  readonly databaseUrl: string | null;
  readonly port: number;
  readonly logFile: string;
  /** More of its environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A server as it is shipped. */
export class ServerProcess extends Program {
  readonly url: string;

  constructor(options: ServerOptions) {
    super({
      args: [programOf("server")],
      environment: { LOG_LEVEL: "warn", HOST: "127.0.0.1", ...serverEnvironment(options), ...options.environment },
      logFile: options.logFile,
    });
    this.url = `http://127.0.0.1:${options.port}`;
  }

  /** One that takes work. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const server = new ServerProcess(options);
    server.start();
    await server.ready();
    return server;
  }

  /** Resolves once it takes work. Throws where it ends before, or the time is up. */
  async ready(): Promise<void> {
    while (performance.now() - this.startedAtMs < START_MS_MAX) {
      if (this.exitCode !== null)
        throw new Error(`The server ended with ${this.exitCode}; its log is ${this.logFile}.`);
      const answer = await ask(`${this.url}/readyz`, { timeoutMs: 3_000 });
      if (answer?.status === 200) return;
      await setTimeout(5);
    }
    throw new Error(`The server was not ready within ${START_MS_MAX} ms; its log is ${this.logFile}.`);
  }
}
