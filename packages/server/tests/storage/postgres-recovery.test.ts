import { rm } from "node:fs/promises";
import { join } from "node:path";
import { until } from "@genai/testing";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import pg from "pg";
import type { TaskStore } from "../../src/storage/index.ts";
import { markConnection } from "../../src/storage/postgres/server-connections.ts";
import { inserted, newTask, opened } from "./support/builders.ts";
import { type PostgresBundle, setupPostgres } from "./support/postgres-bundle.ts";
import { TestPostgres } from "./support/test-postgres.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start(["fsync=off", "autovacuum=off"]);
});
afterAll(() => postgres.stop());
const setup = () => setupPostgres(postgres);

test("what a killed process had on its way to the database comes to hold before the next one looks, or never", async () => {
  await using bundle = await setup();
  const before = await bundle.open();
  await stallOnce(bundle, "AFTER INSERT ON genai.tasks DEFERRABLE INITIALLY DEFERRED");
  const task = newTask();
  const commit = before.commit([inserted(task, { claimed: true }), opened(task.taskId)]);
  await stalled(bundle, 1);
  // The machine is gone, and the database is told nothing.
  bundle.proxy.setFault({ type: "blackHole" });
  await killed(bundle);
  const store = await bundle.open(bundle.databaseUrl);
  const recovered = await idsOf(store.recover());
  await expect(commit).rejects.toMatchObject({ name: "StoreUnavailable" });
  await stalled(bundle, 0);
  const held = await bundle.sql("SELECT task_id FROM genai.tasks WHERE claimed_by IS NOT NULL");
  expect(held.map((row) => row.task_id)).toEqual(recovered);
});

test("a start does not wait for a transaction that its killed process left open", async () => {
  await using bundle = await setup();
  const before = await bundle.open();
  const task = newTask();
  await before.commit([inserted(task, { claimed: true }), opened(task.taskId)]);
  await killed(bundle);
  const [server] = await bundle.sql("SELECT server_id FROM genai.servers");
  const left = new pg.Client(bundle.databaseUrl);
  left.on("error", () => undefined);
  await left.connect();
  await markConnection(left, server.server_id);
  await left.query("BEGIN; SELECT 1 FROM genai.tasks FOR NO KEY UPDATE");
  const startedAtMs = performance.now();
  const store = await bundle.open();
  expect(await idsOf(store.recover())).toEqual([task.taskId]);
  expect(performance.now() - startedAtMs).toBeLessThan(5_000);
  await left.end();
});

async function idsOf(batches: ReturnType<TaskStore["recover"]>): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const batch of batches) ids.push(...batch.map(({ task }) => task.taskId));
  return ids;
}

/** The process of the bundle's folder is gone in effect: its lock was on the file that it had. */
async function killed(bundle: PostgresBundle): Promise<void> {
  await rm(join(bundle.home, "tasks.lock"));
}

/** The next of such changes takes 2 s, which is longer than anybody waits for an answer. */
async function stallOnce(bundle: PostgresBundle, what: string): Promise<void> {
  await bundle.sql(`CREATE SEQUENCE public.stalls;
    CREATE FUNCTION public.stall() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF nextval('public.stalls') = 1 THEN PERFORM pg_sleep(2); END IF; RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER stall ${what} FOR EACH ROW EXECUTE FUNCTION public.stall()`);
}

async function stalled(bundle: PostgresBundle, count: number): Promise<void> {
  await until(`${count} are stalled`, async () => {
    const [row] = await bundle.sql("SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    return row.n === count;
  });
}
