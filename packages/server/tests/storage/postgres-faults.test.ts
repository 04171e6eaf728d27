import { setTimeout } from "node:timers/promises";
import { until } from "@genai/testing";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import pg from "pg";
import { checkStore, type StoreUnavailable, type TaskStore } from "../../src/storage/index.ts";
import { makePool } from "../../src/storage/postgres/connection.ts";
import { GroupCommitter } from "../../src/storage/postgres/group-committer.ts";
import { inTransaction } from "../../src/storage/postgres/transaction.ts";
import { WriteConnection } from "../../src/storage/postgres/write-connection.ts";
import { changed, inserted, newTask, opened, settled } from "./support/builders.ts";
import { type PostgresBundle, setupPostgres } from "./support/postgres-bundle.ts";
import { TestPostgres } from "./support/test-postgres.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start(["fsync=off", "autovacuum=off"]);
});
afterAll(() => postgres.stop());
const setup = () => setupPostgres(postgres);

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

/** A connection whose first answer is lost, and who asked for it hears this instead. */
class LossyConnection extends WriteConnection {
  #loss: Error | null;

  constructor(url: string, loss: Error) {
    super(url, "a-server");
    this.#loss = loss;
  }

  override async query(...given: Parameters<WriteConnection["query"]>): ReturnType<WriteConnection["query"]> {
    const result = await super.query(...given);
    const loss = this.#loss;
    this.#loss = null;
    if (loss !== null) throw loss;
    return result;
  }
}

test.each([
  ["the system says that the pipe is broken", { code: "EPIPE" }],
  ["a pooler says that it lost the database", { code: "08P01", severity: "FATAL" }],
  ["the database gives up over its log", { code: "53100", severity: "PANIC" }],
])("check 4: a commit that came to be although %s is answered with what was committed", async (_, loss) => {
  await using bundle = await setup();
  await bundle.open();
  const pool = makePool(bundle.databaseUrl, { max: 1, callMs: 1_500 });
  const connection = new LossyConnection(bundle.databaseUrl, Object.assign(new Error("the answer is lost"), loss));
  const committer = new GroupCommitter(pool, connection, "a-server");
  const [task, other] = [newTask(), newTask()];
  const outcomes = await Promise.all([committer.commit([inserted(task)]), committer.commit([inserted(other)])]);
  await connection.close();
  await pool.end();
  expect(outcomes).toMatchObject([[{ event: { position: 1 } }], [{ event: { position: 2 } }]]);
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

test("check 4: whoever did not hear what became of a commit can ask, and is answered as it would have been", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const [task, other, never] = [newTask(), newTask(), newTask()];
  const open = opened(task.taskId);
  bundle.proxy.resetAtAnswerTo(task.taskId);
  const failures = [[inserted(other)], [inserted(task), open, changed(open.attemptId), inserted(task)]].map((changes) =>
    store.commit(changes).then(
      () => null,
      (error: StoreUnavailable) => error,
    ),
  );
  while (bundle.proxy.answerResets === 0) await setTimeout(1);
  bundle.proxy.refuse();
  const [first, second] = await Promise.all(failures);
  await expect(second?.whatBecame?.()).rejects.toMatchObject({ name: "StoreUnavailable" });
  const third = await store.commit([inserted(never)]).catch((error: StoreUnavailable) => error);
  bundle.proxy.heal();
  // Nothing of it went out, which nobody can tell from a connection that breaks at its first word.
  expect(third).toMatchObject({ name: "StoreUnavailable", outcome: "unknown" });
  expect(await (third instanceof Error ? third.whatBecame?.() : "nothing")).toBeNull();
  expect(await first?.whatBecame?.()).toMatchObject([
    { type: "applied", event: { position: 1, taskId: other.taskId } },
  ]);
  expect(await second?.whatBecame?.()).toEqual([
    { type: "applied", event: (await store.eventsOf(task.taskId, 0, 1))[0] },
    { type: "applied", event: (await store.eventsOf(task.taskId, 1, 1))[0] },
    { type: "applied", event: null },
    { type: "conflict", taskId: task.taskId },
  ]);
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
async function behindHeldRow(bundle: PostgresBundle, store: TaskStore) {
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
  const failures = await held.settled;
  expect(failures).toMatchObject([
    { status: "rejected", reason: { outcome: "unknown" } },
    { status: "rejected", reason: { name: "StoreUnavailable" } },
  ]);
  // Whoever asks or reads settles what nobody knew.
  const [broken] = failures;
  expect(await (broken?.status === "rejected" ? broken.reason.whatBecame() : "nothing")).toBeNull();
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

test("a database that is set to tell of commits before they are on its disk does not do so to a server", async () => {
  await using bundle = await setup();
  await bundle.sql(`ALTER DATABASE ${new URL(bundle.databaseUrl).pathname.slice(1)} SET synchronous_commit = off`);
  const store = await bundle.open();
  await bundle.sql(`CREATE TABLE public.seen (setting text);
    CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO public.seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
    CREATE TRIGGER see AFTER INSERT OR UPDATE OF told ON genai.tasks FOR EACH ROW EXECUTE FUNCTION public.see()`);
  const task = newTask();
  await store.commit([inserted(task)]);
  await store.tell(task.taskId);
  expect(await bundle.sql("SELECT setting FROM public.seen")).toEqual([{ setting: "on" }, { setting: "on" }]);
});

test("what a sweep ended whose commit was not answered is told by the next one, once", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const task = newTask({ deadlineAtMs: Date.now() - 1 });
  await store.commit([inserted(task)]);
  const sweep = () => store.sweep({ taskTtlMs: 1e9, artifactTtlMs: 1e9, inputTtlMs: 1e9, limit: 10, removedKeys: [] });
  bundle.proxy.resetAtAnswerTo("COMMIT");
  await expect(sweep()).rejects.toMatchObject({ name: "StoreUnavailable", outcome: "unknown" });
  expect(await sweep()).toMatchObject({
    expired: [{ classKey: "sdxl", event: { taskId: task.taskId, number: 2, state: "failed" } }],
  });
  expect(await sweep()).toMatchObject({ expired: [] });
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

test("a webhook of a newer version's task is left alone, and the others are delivered", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  const [newer, known] = [newTask({ webhook: "https://sink.example/" }), newTask({ webhook: "https://sink.example/" })];
  for (const task of [newer, known]) await store.commit([inserted(task), settled(task.taskId)]);
  await bundle.sql(`UPDATE genai.tasks SET format = 2, spec = '{}' WHERE task_id = '${newer.taskId}'`);
  expect((await store.outboxDue(10, 1_000)).map(({ taskId }) => taskId)).toEqual([known.taskId]);
});

test("a user who is gone from under a server costs one refusal, and no task in nobody's name", async () => {
  await using bundle = await setup();
  const store = await bundle.open();
  await store.commit([inserted(newTask({ userId: "one" }))]);
  await bundle.sql("DELETE FROM genai.tasks; DELETE FROM genai.users");
  await expect(store.commit([inserted(newTask({ userId: "one" }))])).rejects.toMatchObject({ outcome: "rolled_back" });
  expect(await store.commit([inserted(newTask({ userId: "one" }))])).toMatchObject([{ type: "applied" }]);
});
