import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import pg from "pg";

interface Started {
  readonly server: ChildProcessByStdio<Writable, Readable, null>;
  readonly lines: AsyncIterator<string>;
}

/** A real PostgreSQL for one test file: `TEST_DATABASE_URL`'s, or one that is started from npm's binaries and ends with this process. */
export class TestPostgres {
  readonly url: string;
  readonly #process: Started | null;
  #databases = 0;

  private constructor(url: string, process: Started | null) {
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
    const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
    const { value: url, done } = await lines.next();
    if (done) throw new Error("PostgreSQL did not start.");
    return new TestPostgres(url, { server, lines });
  }

  /** Stops or starts the database while whoever uses it stays connected to nothing. */
  async turn(how: "stop" | "start"): Promise<void> {
    if (!this.#process) throw new Error("TEST_DATABASE_URL's database is not ours to stop.");
    this.#process.server.stdin.write(`${how}\n`);
    await this.#process.lines.next();
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
    const ended = once(this.#process.server, "exit");
    this.#process.server.stdin.end();
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
