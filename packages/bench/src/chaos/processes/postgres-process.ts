import { execFileSync } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Postgres } from "@genai/testing/postgres";

/** A PostgreSQL with its shipped settings, in a folder that a trial chooses, to be stopped, frozen and killed. */
export class PostgresProcess implements AsyncDisposable {
  readonly #postgres: Postgres;
  readonly #pidFile: string;
  #runs = false;

  private constructor(postgres: Postgres, pidFile: string) {
    this.#postgres = postgres;
    this.#pidFile = pidFile;
  }

  /** Makes a cluster below `folder`, or takes the one that is there, and starts it. */
  static async start(folder: string, options: { readonly existing: boolean }): Promise<PostgresProcess> {
    const postgres = await Postgres.below(folder, { syncedFirst: true, settings: ["max_connections=200"] });
    const pidFile = join(folder, "data", "postmaster.pid");
    const started = new PostgresProcess(postgres, pidFile);
    if (options.existing) await rm(pidFile, { force: true });
    else await postgres.initialise();
    await started.resume();
    return started;
  }

  get port(): number {
    return this.#postgres.port;
  }

  /** URL of a database over another port, such as a proxy's. */
  url(name: string, port = this.port): string {
    return this.#postgres.url(name, port);
  }

  createDatabase(name: string): Promise<string> {
    return this.#postgres.createDatabase(name);
  }

  /** Ends it at once, in order: what is acknowledged is on the disk, clients are cut off. */
  async stop(): Promise<void> {
    if (!this.#runs) return;
    this.#runs = false;
    await this.#postgres.stop();
  }

  async resume(): Promise<void> {
    await this.#postgres.start();
    this.#runs = true;
  }

  /** Sends a signal to the postmaster and all of its processes. */
  async signal(signal: "SIGSTOP" | "SIGCONT" | "SIGKILL"): Promise<void> {
    const [line = ""] = (await readFile(this.#pidFile, "utf8")).split("\n");
    const children = childrenOf(Number(line));
    for (const pid of [Number(line), ...children]) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        // One that ended in the meantime needs no signal.
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
    if (signal === "SIGKILL") this.#runs = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function childrenOf(pid: number): readonly number[] {
  try {
    const list = execFileSync("ps", ["--no-headers", "-o", "pid", "--ppid", String(pid)], { encoding: "utf8" });
    return list.trim().split(/\s+/).map(Number);
  } catch {
    // ps ends with 1 where there are none.
    return [];
  }
}
