import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Postgres } from "@genai/testing/postgres";

/** Runs a PostgreSQL of its own for the process that started this one: prints its URL, stops and starts it on the lines `stop`
 *  and `start`, and ends with the pipe on stdin, so that a parent that was killed leaves none behind. */
async function serve(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "genai-postgres-"));
  const postgres = await Postgres.below(folder, {
    syncedFirst: false,
    settings: ["max_connections=200", ...process.argv.slice(2)],
    onError: (line) => process.stderr.write(`${line}\n`),
  });
  const end = async () => {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
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
  process.stdout.write(`${postgres.url("postgres")}\n`);
}

await serve();
