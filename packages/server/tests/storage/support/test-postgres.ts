import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";

/** A real PostgreSQL for one test file: `TEST_DATABASE_URL`'s, or one that is started from npm's binaries and ends with this process. */
export class TestPostgres {
  readonly url: string;
  readonly #process: ChildProcess | null;
  #databases = 0;

  private constructor(url: string, process: ChildProcess | null) {
    this.url = url;
    this.#process = process;
  }

  static async start(flags: readonly string[] = ["fsync=off"]): Promise<TestPostgres> {
    const given = process.env.TEST_DATABASE_URL;
    if (given) return new TestPostgres(given, null);
    const hooks = new URL("../../../../../.ci/typescript-hooks.js", import.meta.url);
    const script = fileURLToPath(new URL("./postgres-server.ts", import.meta.url));
    const server = spawn(process.execPath, ["--import", hooks.href, script, ...flags], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    for await (const line of createInterface({ input: server.stdout })) {
      if (line.startsWith("postgres://")) return new TestPostgres(line, server);
    }
    throw new Error("PostgreSQL did not start.");
  }

  /** A new, empty database. */
  async database(): Promise<string> {
    const name = `genai_${process.pid}_${Date.now().toString(36)}_${++this.#databases}`;
    await this.#run(`CREATE DATABASE ${name} STRATEGY file_copy`);
    const url = new URL(this.url);
    url.pathname = `/${name}`;
    return url.href;
  }

  async drop(url: string): Promise<void> {
    await this.#run(`DROP DATABASE ${new URL(url).pathname.slice(1)} WITH (FORCE)`);
  }

  async stop(): Promise<void> {
    if (!this.#process) return;
    const ended = once(this.#process, "exit");
    this.#process.stdin?.end();
    await ended;
  }

  async #run(sql: string): Promise<void> {
    const client = new pg.Client(this.url);
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  }
}
