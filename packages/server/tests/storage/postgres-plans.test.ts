import { setTimeout } from "node:timers/promises";
import { until } from "@genai/testing";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { checkStore, type NewTask, type TaskStore } from "../../src/storage/index.ts";
import { inserted, newTask } from "./support/builders.ts";
import { setupPostgres } from "./support/postgres-bundle.ts";
import { TestPostgres } from "./support/test-postgres.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start(["fsync=off", "autovacuum=off"]);
});
afterAll(() => postgres.stop());
const setup = () => setupPostgres(postgres);

test("a sweep finds its bite by an index, however large the table is", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  await bundle.sql(`INSERT INTO genai.idempotency_keys SELECT 1, 'k' || n, 't', 'h', n FROM generate_series(1, 200000) n;
    INSERT INTO genai.change_groups SELECT gen_random_uuid(), NULL, n FROM generate_series(1, 200000) n;
    ANALYZE genai.idempotency_keys; ANALYZE genai.change_groups`);
  const scans = async () => {
    const rows = await bundle.sql(`SELECT relname AS "table", seq_scan::int AS whole, idx_scan::int AS by_index
      FROM pg_stat_user_tables WHERE relname IN ('idempotency_keys', 'change_groups') ORDER BY relname`);
    return rows as readonly { readonly table: string; readonly whole: number; readonly by_index: number }[];
  };
  const before = await scans();
  // PostgreSQL counts a scan about a second after it was made.
  await until("every index was scanned", async () => {
    await store.sweep({ taskTtlMs: 1e9, artifactTtlMs: 1e9, inputTtlMs: 1e10, limit: 10, removedKeys: [] });
    const now = await scans();
    return now.every(({ by_index }, index) => by_index > (before[index]?.by_index ?? 0));
  });
  expect((await scans()).map(({ whole }) => whole)).toEqual(before.map(({ whole }) => whole));
});

test("a sweep says that there may be more as long as it finds its bite of old keys or groups", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  await bundle.sql(`INSERT INTO genai.idempotency_keys SELECT 1, 'k' || n, 't', 'h', n FROM generate_series(1, 15) n;
    INSERT INTO genai.change_groups SELECT gen_random_uuid(), NULL, n FROM generate_series(1, 250) n`);
  const more = async () => {
    return (await store.sweep({ taskTtlMs: 1e9, artifactTtlMs: 1e9, inputTtlMs: 1e9, limit: 10, removedKeys: [] }))
      .more;
  };
  expect([await more(), await more(), await more()]).toEqual([true, true, false]);
  expect(await bundle.sql("SELECT FROM genai.idempotency_keys UNION ALL SELECT FROM genai.change_groups")).toEqual([]);
});

test("a claim reads what waits, and not what others hold already, on a table without statistics", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  await insertAll(store, 2_000, () => newTask({ userId: "one" }));
  const read = async () => {
    const rows = await bundle.sql(`SELECT indexrelname AS name, idx_tup_read::int AS rows
      FROM pg_stat_user_indexes WHERE indexrelname IN ('tasks_waiting', 'tasks_of_user_by_state') ORDER BY indexrelname`);
    return (rows as readonly { readonly rows: number }[]).map(({ rows }) => rows);
  };
  expect(await store.claim({ classKeys: ["sdxl"], limit: 1_000, costMin: 0 })).toHaveLength(1_000);
  const [ofUserBefore = 0, waitingBefore = 0] = await read();
  // PostgreSQL counts what was read about a second after it was.
  await until("the claim's scan is counted", async () => {
    expect(await store.claim({ classKeys: ["sdxl"], limit: 1, costMin: 0 })).toHaveLength(1);
    return Number((await read())[1]) > waitingBefore;
  });
  expect((await read())[0]).toBe(ofUserBefore);
});

test("check 14: claimers at once take no task twice and never more than they asked for, whatever plan is chosen", async () => {
  await using bundle = await setup();
  const stores = await Promise.all(Array.from({ length: 4 }, (_, index) => bundle.open(bundle.databaseUrl, index > 0)));
  await insertAll(stores[0] as TaskStore, 2_000, (index) => newTask({ userId: `user-${index % 5}` }));
  for (const setting of ["enable_hashjoin", "enable_mergejoin", "enable_sort", "enable_nestloop", "enable_indexscan"]) {
    await bundle.sql(`ALTER DATABASE ${new URL(bundle.databaseUrl).pathname.slice(1)} SET ${setting} = off`);
    await bundle.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'genai-server'");
    const taken = await Promise.all(
      Array.from({ length: 64 }, (_, index) => claimOnce(stores[index % 4] as TaskStore, 1 + (index % 7))),
    );
    for (const [index, claimed] of taken.entries()) expect(claimed.length).toBeLessThanOrEqual(1 + (index % 7));
    const ids = taken.flat();
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(100);
    for (const store of stores) await store.commit([{ type: "claimReleased", taskIds: ids }]);
  }
  expect(await checkStore(bundle, null)).toEqual([]);
}, 60_000);

/** In bites that a busy machine applies within the time of one commit. */
async function insertAll(store: TaskStore, count: number, make: (index: number) => NewTask): Promise<void> {
  for (let done = 0; done < count; done += 250) {
    await store.commit(Array.from({ length: 250 }, (_, index) => inserted(make(done + index))));
  }
}

/** Terminated connections are the test's own doing; a claim is asked for again, as the coordinator does. */
async function claimOnce(store: TaskStore, limit: number): Promise<readonly string[]> {
  for (;;) {
    try {
      return (await store.claim({ classKeys: ["sdxl"], limit, costMin: 0 })).map(({ task }) => task.taskId);
    } catch {
      await setTimeout(5);
    }
  }
}
