import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { TcpProxy } from "@genai/protocol/conformance";
import { until } from "@genai/testing";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import pg from "pg";
import { checkStore, migrateStore, type NewTask, openTaskStore, type TaskStore } from "../../src/storage/index.ts";
import { makePool } from "../../src/storage/postgres/connection.ts";
import { inTransaction } from "../../src/storage/postgres/transaction.ts";
import { changed, inserted, newTask, opened, requeued, settled } from "./support/builders.ts";
import { TestPostgres } from "./support/test-postgres.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start(["fsync=off", "autovacuum=off"]);
});
afterAll(() => postgres.stop());

async function setup() {
  const databaseUrl = await postgres.database();
  const { hostname, port } = new URL(databaseUrl);
  const proxy = await TcpProxy.to(Number(port), hostname);
  const proxied = new URL(databaseUrl);
  proxied.host = `127.0.0.1:${proxy.port}`;
  const home = await mkdtemp(join(tmpdir(), "genai-faults-"));
  const homes: string[] = [home];
  const stores: TaskStore[] = [];
  return {
    databaseUrl,
    home,
    proxy,
    /** A store over the link that the test can cut, as another server where `another` says so. */
    async open(url = proxied.href, another = false) {
      const folder = another ? await mkdtemp(join(tmpdir(), "genai-faults-")) : home;
      if (another) homes.push(folder);
      const store = await openTaskStore({ databaseUrl: url, home: folder });
      stores.push(store);
      return store;
    },
    async sql(text: string) {
      const client = new pg.Client(databaseUrl);
      await client.connect();
      try {
        return (await client.query(text)).rows;
      } finally {
        await client.end();
      }
    },
    async [Symbol.asyncDispose]() {
      proxy.heal();
      for (const store of stores) await store.close();
      await proxy[Symbol.asyncDispose]();
      await postgres.drop(databaseUrl);
      for (const folder of homes) await rm(folder, { recursive: true });
    },
  };
}

test("check 4: a link cut between a commit and its answer is answered with what was committed, once", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  for (let round = 0; round < 20; round++) {
    const task = newTask();
    bundle.proxy.resetAtAnswerTo(task.taskId);
    const outcomes = await store.commit([inserted(task), opened(task.taskId)]);
    expect(outcomes.map((outcome) => outcome.type)).toEqual(["applied", "applied"]);
    expect(await store.eventsOf(task.taskId, 0, 10)).toHaveLength(2);
  }
  expect(bundle.proxy.answerResets).toBe(20);
  expect(await checkStore(bundle, null)).toEqual([]);
});

test("check 4: when the link stays down the outcome is unknown within two seconds, and the truth is read once it is back", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const [committed, lost] = [newTask(), newTask()];
  bundle.proxy.resetAtAnswerTo(committed.taskId);
  const startedAtMs = performance.now();
  const broken = store.commit([inserted(committed)]);
  while (bundle.proxy.answerResets === 0) await setTimeout(1);
  bundle.proxy.refuse();
  await expect(broken).rejects.toMatchObject({ name: "StoreUnavailable", outcome: "unknown" });
  expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  await expect(store.commit([inserted(lost)])).rejects.toMatchObject({ name: "StoreUnavailable" });
  await expect(store.ping()).rejects.toMatchObject({ name: "StoreUnavailable" });
  bundle.proxy.heal();
  expect(await store.task(committed.taskId)).toMatchObject({ state: "queued" });
  expect(await store.task(lost.taskId)).toBeNull();
  expect(await store.commit([inserted(lost)])).toMatchObject([{ type: "applied" }]);
});

test("check 4: a database that answers nothing is unknown within two seconds, and what it did later never counts", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const [before, during, after] = [newTask(), newTask(), newTask()];
  await store.commit([inserted(before)]);
  bundle.proxy.setFault({ type: "blackHole" });
  const startedAtMs = performance.now();
  await expect(store.commit([inserted(during)])).rejects.toMatchObject({ name: "StoreUnavailable" });
  expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  // What went into the hole stays in it.
  bundle.proxy.reset();
  bundle.proxy.heal();
  const seen = await store.task(during.taskId);
  await store.commit([inserted(after)]);
  expect(await store.task(during.taskId)).toEqual(seen);
  expect(await store.task(before.taskId)).not.toBeNull();
});

test("a commit that was given up while the database still worked on it is fenced off", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const task = newTask();
  await store.commit([inserted(task)]);
  // Somebody holds the task's row longer than a commit may take: the backend waits for it, and would go on after we gave up.
  const holder = new pg.Client(bundle.databaseUrl);
  await holder.connect();
  await holder.query("BEGIN; SELECT 1 FROM genai.tasks FOR UPDATE");
  const open = opened(task.taskId);
  await expect(store.commit([open])).rejects.toMatchObject({ name: "StoreUnavailable" });
  await holder.query("ROLLBACK");
  await holder.end();
  const known = await store.attempt(open.attemptId);
  await setTimeout(300);
  expect(await store.attempt(open.attemptId)).toEqual(known);
});

/** Two commits that go to the database as two groups, the second while the first waits for a row that is held. */
async function behindHeldRow(bundle: Awaited<ReturnType<typeof setup>>, store: TaskStore) {
  const held = newTask();
  await store.commit([inserted(held)]);
  const holder = new pg.Client(bundle.databaseUrl);
  await holder.connect();
  await holder.query("BEGIN; SELECT 1 FROM genai.tasks FOR UPDATE");
  const [first, second] = [opened(held.taskId), newTask()];
  const commits = [store.commit([first])];
  await until("the first waits for the row", async () => {
    const [row] = await bundle.sql("SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    return row.n > 0;
  });
  commits.push(store.commit([inserted(second), opened(second.taskId)]));
  // On its way, not only asked for.
  await setTimeout(50);
  return {
    taskIds: [held.taskId, second.taskId],
    settled: Promise.allSettled(commits),
    async [Symbol.asyncDispose]() {
      await holder.end();
    },
  };
}

test("a group that was sent behind another is applied after it", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const held = await behindHeldRow(bundle, store);
  await held[Symbol.asyncDispose]();
  expect(await held.settled).toMatchObject([
    { status: "fulfilled", value: [{ event: { position: 2 } }] },
    { status: "fulfilled", value: [{ event: { position: 3 } }, { event: { position: 4 } }] },
  ]);
});

test("a group that was sent behind another which then fails is not applied", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  await using held = await behindHeldRow(bundle, store);
  // The row is held for longer than a commit may take.
  expect(await held.settled).toMatchObject([
    { status: "rejected", reason: { outcome: "unknown" } },
    { status: "rejected", reason: { name: "StoreUnavailable" } },
  ]);
  // Whoever reads settles what nobody knew.
  const [first, second] = held.taskIds;
  expect(await store.attemptsOf(first ?? "")).toEqual([]);
  await held[Symbol.asyncDispose]();
  // What the backend still finds at its door.
  await setTimeout(300);
  expect(await store.attemptsOf(first ?? "")).toEqual([]);
  expect(await store.task(second ?? "")).toBeNull();
});

test("two groups whose connection breaks under them are both applied once, in order", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const held = await behindHeldRow(bundle, store);
  bundle.proxy.reset();
  await setTimeout(20);
  await held[Symbol.asyncDispose]();
  expect(await held.settled).toMatchObject([
    { status: "fulfilled", value: [{ event: { position: 2 } }] },
    { status: "fulfilled", value: [{ event: { position: 3 } }, { event: { position: 4 } }] },
  ]);
  for (const taskId of held.taskIds) expect(await store.eventsOf(taskId, 0, 10)).toHaveLength(2);
  expect(await checkStore(bundle, null)).toEqual([]);
});

test("check 4: a connection that is ended between two statements of a transaction fails that transaction alone", async () => {
  await using bundle = await setup();
  const pool = makePool(bundle.databaseUrl, { max: 1, callMs: 10_000 });
  const broken = inTransaction(pool, async (client) => {
    const { rows } = await client.query("SELECT pg_backend_pid() AS pid");
    // Not `once` of node:events, which listens for errors too.
    const ended = new Promise<void>((resolve) => client.on("end", resolve));
    await bundle.sql(`SELECT pg_terminate_backend(${rows[0]?.pid})`);
    await ended;
    await client.query("SELECT 1");
  });
  await expect(broken).rejects.toThrow();
  expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  await pool.end();
});

test("check 4: a database that is restarted under load loses nothing that was acknowledged and doubles nothing", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const acknowledged = new Set<string>();
  let refused = 0;
  let slowestMs = 0;
  let ended = false;
  const clients = Array.from({ length: 16 }, async () => {
    while (!ended) {
      const task = newTask();
      const startedAtMs = performance.now();
      try {
        const [outcome] = await store.commit([inserted(task)]);
        if (outcome?.type === "applied") acknowledged.add(task.taskId);
      } catch {
        refused += 1;
        slowestMs = Math.max(slowestMs, performance.now() - startedAtMs);
        await setTimeout(20);
      }
    }
  });
  await setTimeout(200);
  await postgres.turn("stop");
  await setTimeout(2_000);
  await postgres.turn("start");
  const before = acknowledged.size;
  while (acknowledged.size === before) await setTimeout(10);
  ended = true;
  await Promise.all(clients);
  expect(refused).toBeGreaterThan(0);
  expect(slowestMs).toBeLessThan(2_000);
  const stored = await bundle.sql("SELECT task_id FROM genai.tasks");
  const ids = new Set(stored.map((row) => row.task_id));
  expect([...acknowledged].filter((id) => !ids.has(id))).toEqual([]);
  expect(await checkStore(bundle, null)).toEqual([]);
});

test("backends that are ended again and again under load neither lose nor double a step", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  let ended = false;
  let commits = 0;
  let rounds = 0;
  const nemesis = (async () => {
    while (!ended) {
      await bundle.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'genai-server'",
      );
      rounds += 1;
      // A busy machine may need longer for a connection than any fixed pause.
      for (const before = commits; commits === before && !ended; ) await setTimeout(5);
    }
  })();
  const tasks: string[] = [];
  // Ten at a time, one behind the other, so that there are many transactions to break into.
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      const persist = async (changes: Parameters<TaskStore["commit"]>[0]) => {
        for (;;) {
          try {
            await store.commit(changes);
            commits += 1;
            return;
          } catch {
            await setTimeout(5);
          }
        }
      };
      for (let n = 0; n < 10; n++) {
        const task = newTask();
        const open = opened(task.taskId);
        await persist([inserted(task), open]);
        await persist([changed(open.attemptId), settled(task.taskId)]);
        tasks.push(task.taskId);
      }
    }),
  );
  ended = true;
  await nemesis;
  expect(rounds).toBeGreaterThan(1);
  for (const taskId of tasks) {
    expect((await store.eventsOf(taskId, 0, 10)).map((event) => event.state)).toEqual([
      "queued",
      "running",
      "succeeded",
    ]);
  }
  expect(await store.usageOf("alice")).toMatchObject({ tasks: { succeeded: 100 }, gpuMs: 70_000, cost: 200 });
  expect(await checkStore(bundle, null)).toEqual([]);
}, 60_000);

test("a task that ends and is deleted in one commit leaves nothing behind", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const [task, other] = [newTask(), newTask()];
  await store.commit([inserted(task), opened(task.taskId), inserted(other)]);
  await store.commit([settled(task.taskId), { type: "taskDeleted", taskId: task.taskId }, opened(other.taskId)]);
  expect(await store.task(task.taskId)).toBeNull();
  expect(await store.eventsOf(other.taskId, 0, 10)).toHaveLength(2);
  expect(await checkStore(bundle, null)).toEqual([]);
});

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
    await store.sweep({ taskTtlMs: 1e9, artifactTtlMs: 1e9, limit: 10, removedKeys: [] });
    const now = await scans();
    return now.every(({ by_index }, index) => by_index > (before[index]?.by_index ?? 0));
  });
  expect((await scans()).map(({ whole }) => whole)).toEqual(before.map(({ whole }) => whole));
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

test("a user who is gone from under a server costs one refusal, and no task in nobody's name", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  await store.commit([inserted(newTask({ userId: "one" }))]);
  await bundle.sql("DELETE FROM genai.tasks; DELETE FROM genai.users");
  await expect(store.commit([inserted(newTask({ userId: "one" }))])).rejects.toMatchObject({ outcome: "rolled_back" });
  expect(await store.commit([inserted(newTask({ userId: "one" }))])).toMatchObject([{ type: "applied" }]);
});

test("check 23: starters at the same time migrate once, and a second migration finds nothing to do", async () => {
  await using bundle = await setup();
  const results = await Promise.all(Array.from({ length: 8 }, () => migrateStore(bundle)));
  expect(results.filter((result) => result.from === 0)).toHaveLength(1);
  expect(await migrateStore(bundle)).toEqual({ from: 6, to: 6 });
});

test("check 23: a schema newer than the program stops the start with a sentence", async () => {
  await using bundle = await setup();
  await migrateStore(bundle);
  await bundle.sql("INSERT INTO genai.schema (number) VALUES (99)");
  await expect(bundle.open()).rejects.toMatchObject({
    code: "newer_schema",
    message: expect.stringContaining("has schema 99"),
  });
});

test("check 23: a server goes on while a newer version brings the schema further, and cannot be started again after that", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const acknowledged: string[] = [];
  let ended = false;
  // Every kind of change, by plans that were made before and after the step.
  const load = Array.from({ length: 8 }, async (_, index) => {
    while (!ended) {
      const task = newTask({ userId: `user-${index}`, webhook: "https://sink.example/" });
      const open = opened(task.taskId);
      await store.commit([inserted(task, { idempotency: { key: task.taskId, bodyHash: "h" } }), open]);
      await store.commit([requeued(task.taskId), changed(open.attemptId), settled(task.taskId)]);
      acknowledged.push(task.taskId);
      await store.claim({ classKeys: ["sdxl"], limit: 1, costMin: 0 });
      await store.outboxDue(1, 1_000);
      await store.tasksOf(task.userId, {}, 5, null);
    }
  });
  // Only ever rejects while the load goes on.
  const failed = Promise.all(load);
  const more = async () => {
    for (const before = acknowledged.length; acknowledged.length < before + 40; ) {
      await Promise.race([setTimeout(5), failed]);
    }
  };
  await more();
  // What a step may do: it adds, and leaves what an older server calls as it is.
  await bundle.sql(`
    BEGIN;
    ALTER TABLE genai.tasks ADD COLUMN later text NOT NULL DEFAULT 'none', ADD COLUMN marks jsonb;
    ALTER TABLE genai.attempts ADD COLUMN later int;
    ALTER TABLE genai.outbox ADD COLUMN later int DEFAULT 7;
    CREATE TABLE genai.later (task_seq bigint PRIMARY KEY);
    CREATE FUNCTION genai.note_later() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO genai.later VALUES (new.seq) ON CONFLICT DO NOTHING; RETURN NULL; END $$;
    CREATE TRIGGER later AFTER INSERT ON genai.tasks FOR EACH ROW EXECUTE FUNCTION genai.note_later();
    CREATE INDEX tasks_later ON genai.tasks (later, task_id);
    INSERT INTO genai.schema (number) SELECT max(number) + 1 FROM genai.schema;
    COMMIT`);
  await more();
  await expect(bundle.open(bundle.databaseUrl, true)).rejects.toMatchObject({ code: "newer_schema" });
  await more();
  ended = true;
  await failed;
  await store.sweep({ taskTtlMs: 60_000, artifactTtlMs: 60_000, limit: 10, removedKeys: [] });
  const kept = await bundle.sql("SELECT task_id FROM genai.tasks WHERE state = 2");
  expect(kept.map((row) => row.task_id).sort()).toEqual(acknowledged.toSorted());
  const noted = await bundle.sql("SELECT count(*)::int AS count FROM genai.later");
  expect(noted[0]?.count).toBeGreaterThan(40);
}, 60_000);

test("a database that is not there stops the start with a sentence", async () => {
  await using bundle = await setup();
  await expect(bundle.open("postgres://nobody@127.0.0.1:1/none")).rejects.toMatchObject({
    code: "unreachable",
    message: expect.stringContaining("DATABASE_URL"),
  });
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
    await stores[0]?.commit([{ type: "claimReleased", taskIds: ids }]);
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

test("what a server held when it was gone is another's after its lease, and its own at once when it is back", async () => {
  await using bundle = await setup();
  const first = await bundle.open(bundle.databaseUrl);
  const [running, lost] = [newTask(), newTask()];
  await first.commit([
    inserted(running, { claimed: true }),
    opened(running.taskId),
    inserted(lost, { claimed: true }),
    opened(lost.taskId, { attempt: 1 }),
    requeued(lost.taskId),
  ]);
  const second = await bundle.open(bundle.databaseUrl, true);
  expect(await recovered(second)).toEqual([]);
  // The first one's last sign of life is longer ago than its claims outlive it.
  await bundle.sql(
    "UPDATE genai.servers SET alive_until_ms = alive_until_ms - 60000 WHERE server_id = (SELECT min(claimed_by) FROM genai.tasks)",
  );
  expect(await recovered(second)).toEqual([running.taskId, lost.taskId]);
  await expect(bundle.open(bundle.databaseUrl)).rejects.toMatchObject({ code: "in_use" });
  // In effect the first process is gone: its lock was on the file that it had.
  await rm(join(bundle.home, "tasks.lock"));
  expect(await recovered(await bundle.open(bundle.databaseUrl))).toEqual([]);
});

async function recovered(store: TaskStore): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const batch of store.recover()) ids.push(...batch.map(({ task }) => task.taskId));
  return ids;
}
