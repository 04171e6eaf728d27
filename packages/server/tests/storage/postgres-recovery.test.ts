import { rm } from "node:fs/promises";
import { join } from "node:path";
import { until } from "@genai/testing";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import pg from "pg";
import type { TaskStore } from "../../src/storage/index.ts";
import { markConnection } from "../../src/storage/postgres/server-connections.ts";
import { inserted, newTask, opened, requeued } from "./support/builders.ts";
import { type PostgresBundle, setupPostgres } from "./support/postgres-bundle.ts";
import { TestPostgres } from "./support/test-postgres.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start(["fsync=off", "autovacuum=off"]);
});
afterAll(() => postgres.stop());
const setup = () => setupPostgres(postgres);

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
  expect(await idsOf(second.recover())).toEqual([]);
  expect(await idsOf(second.takeOver())).toEqual([]);
  await lapse(bundle, "first");
  expect(await idsOf(second.takeOver())).toEqual([running.taskId, lost.taskId]);
  await expect(bundle.open(bundle.databaseUrl)).rejects.toMatchObject({ code: "in_use" });
  await killed(bundle);
  expect(await idsOf((await bundle.open(bundle.databaseUrl)).recover())).toEqual([]);
});

test("a server takes over all that one left that is gone, and hands back what only waited", async () => {
  await using bundle = await setup();
  const gone = await bundle.open(bundle.databaseUrl);
  const tasks = Array.from({ length: 1_100 }, () => newTask());
  await gone.commit(tasks.flatMap((task) => [inserted(task, { claimed: true }), opened(task.taskId)]));
  const waiting = newTask();
  await gone.commit([inserted(waiting, { claimed: true })]);
  const store = await bundle.open(bundle.databaseUrl, true);
  await lapse(bundle, "first");
  expect(await idsOf(store.takeOver())).toEqual(tasks.map((task) => task.taskId));
  expect(await store.claim({ classKeys: ["sdxl"], limit: 9, costMin: 0 })).toMatchObject([
    { task: { taskId: waiting.taskId } },
  ]);
});

test.each([
  ["commit is answered late", "DEFERRABLE INITIALLY DEFERRED"],
  ["connection is given up before its commit", "NOT DEFERRABLE"],
])("a takeover whose %s is taken up once, with the next one", async (_, when) => {
  await using bundle = await setup();
  const gone = await bundle.open(bundle.databaseUrl);
  const tasks = [newTask(), newTask()];
  await gone.commit(tasks.flatMap((task) => [inserted(task, { claimed: true }), opened(task.taskId)]));
  const store = await bundle.open(bundle.databaseUrl, true);
  await lapse(bundle, "first");
  await stallOnce(bundle, `AFTER UPDATE OF claimed_by ON genai.tasks ${when}`);
  await expect(idsOf(store.takeOver())).rejects.toMatchObject({ name: "StoreUnavailable", outcome: "unknown" });
  await stalled(bundle, 0);
  await lapse(bundle, "first");
  expect(await idsOf(store.takeOver())).toEqual(tasks.map((task) => task.taskId));
  await lapse(bundle, "first");
  expect(await idsOf(store.takeOver())).toEqual([]);
});

test("a sweep takes nothing from servers whose leases lapsed while the database was away", async () => {
  await using bundle = await setup();
  const other = await bundle.open(bundle.databaseUrl);
  const task = newTask();
  await other.commit([inserted(task, { claimed: true })]);
  const store = await bundle.open(bundle.databaseUrl, true);
  const sweep = () => store.sweep({ taskTtlMs: 1e9, artifactTtlMs: 1e9, inputTtlMs: 1e9, limit: 10, removedKeys: [] });
  await lapse(bundle, "all");
  await sweep();
  expect(await other.held(task.taskId)).not.toBeNull();
  await afterOneLease(async () => {
    await lapse(bundle, "first");
    await sweep();
  });
  expect(await other.held(task.taskId)).toBeNull();
});

test("a server whose reads all wait says that it lives all the same", async () => {
  await using bundle = await setup();
  const store = await bundle.open(bundle.databaseUrl);
  const aliveUntilMs = async (): Promise<number> =>
    (await bundle.sql("SELECT alive_until_ms::float8 AS ms FROM genai.servers"))[0].ms;
  const before = await aliveUntilMs();
  const holder = new pg.Client(bundle.databaseUrl);
  await holder.connect();
  await holder.query("BEGIN; LOCK TABLE genai.documents");
  let isOver = false;
  const readers = Array.from({ length: 50 }, async () => {
    while (!isOver) await store.readDocument("estimates").catch(() => null);
  });
  try {
    await until("the lease is renewed", async () => (await aliveUntilMs()) > before, 12_000);
  } finally {
    isOver = true;
    await holder.end();
    await Promise.all(readers);
  }
});

test("check 19: an hour that the database's clock goes back hides nobody who is gone, and takes nothing from who lives", async () => {
  await using bundle = await setup();
  const other = await bundle.open(bundle.databaseUrl);
  const task = newTask();
  await other.commit([inserted(task, { claimed: true }), opened(task.taskId)]);
  const store = await bundle.open(bundle.databaseUrl, true);
  const toFuture = (which: string) =>
    bundle.sql(`UPDATE genai.servers SET alive_until_ms = alive_until_ms + 3600000 ${which}`);
  await toFuture("");
  expect(await idsOf(store.takeOver())).toEqual([]);
  await afterOneLease(async () => {
    await toFuture("WHERE server_id = (SELECT claimed_by FROM genai.tasks)");
    expect(await idsOf(store.takeOver())).toEqual([task.taskId]);
  });
});

test.each([
  ["its own lease had lapsed too", "all"],
  ["it could not renew its own", "first"],
] as const)("a server takes nothing over for one lease after %s", async (_, whose) => {
  await using bundle = await setup();
  const other = await bundle.open(bundle.databaseUrl);
  const task = newTask();
  await other.commit([inserted(task, { claimed: true }), opened(task.taskId)]);
  const store = await bundle.open(undefined, true);
  if (whose === "first") {
    bundle.proxy.refuse();
    bundle.proxy.reset();
    await expect(idsOf(store.takeOver())).rejects.toMatchObject({ name: "StoreUnavailable" });
    bundle.proxy.heal();
  }
  await lapse(bundle, whose);
  expect(await idsOf(store.takeOver())).toEqual([]);
  expect(await idsOf(store.takeOver())).toEqual([]);
  await afterOneLease(async () => {
    await lapse(bundle, "first");
    expect(await idsOf(store.takeOver())).toEqual([task.taskId]);
  });
});

test("a start waits for what it held that somebody has locked, and is refused with a sentence where that takes too long", async () => {
  await using bundle = await setup();
  const before = await bundle.open();
  const task = newTask();
  await before.commit([inserted(task, { claimed: true }), opened(task.taskId)]);
  await killed(bundle);
  const store = await bundle.open();
  const holder = new pg.Client(bundle.databaseUrl);
  await holder.connect();
  await holder.query("BEGIN; SELECT 1 FROM genai.tasks FOR NO KEY UPDATE");
  const refused = idsOf(store.recover());
  const waiting = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'genai-server'";
  const isWaiting = async () => (await bundle.sql(`SELECT pid ${waiting}`)).length > 0;
  await until("it waits", isWaiting);
  // As the database does by itself when the time is up.
  await bundle.sql(`SELECT pg_cancel_backend(pid) ${waiting}`);
  await expect(refused).rejects.toMatchObject({ name: "StoreUnavailable", message: expect.stringContaining("15 s") });
  const recovered = idsOf(store.recover());
  await until("it waits again", isWaiting);
  await holder.query("ROLLBACK");
  await holder.end();
  expect(await recovered).toEqual([task.taskId]);
});

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

test.each(["gives back", "asks what became of"])(
  "a server that %s what it claimed before its lease lapsed takes nothing from who has it by now",
  async (how) => {
    await using bundle = await setup();
    const [late, other] = [await bundle.open(), await bundle.open(bundle.databaseUrl, true)];
    const task = newTask();
    await late.commit([inserted(task)]);
    const request = { classKeys: ["sdxl"], limit: 1, costMin: 0 };
    if (how !== "gives back") bundle.proxy.resetAtAnswerTo("sdxl");
    await late.claim(request).catch(() => []);
    await lapse(bundle, "first");
    await other.sweep({ taskTtlMs: 1e9, artifactTtlMs: 1e9, inputTtlMs: 1e9, limit: 10, removedKeys: [] });
    expect(await other.claim(request)).toMatchObject([{ task: { taskId: task.taskId } }]);
    if (how === "gives back") await late.commit([{ type: "claimReleased", taskIds: [task.taskId] }]);
    expect(await late.claim(request)).toEqual([]);
    expect(await other.held(task.taskId)).not.toBeNull();
  },
);

async function idsOf(batches: ReturnType<TaskStore["recover"]>): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const batch of batches) ids.push(...batch.map(({ task }) => task.taskId));
  return ids;
}

/** By the clock of this process alone. */
async function afterOneLease(act: () => Promise<void>): Promise<void> {
  const laterMs = performance.now() + 20_000;
  const clock = jest.spyOn(performance, "now").mockImplementation(() => laterMs);
  try {
    await act();
  } finally {
    clock.mockRestore();
  }
}

/** The last sign of life of all servers, or of the one that holds the first task, is longer ago than its claims outlive it. */
async function lapse(bundle: PostgresBundle, whose: "all" | "first"): Promise<void> {
  const first = "WHERE server_id = (SELECT claimed_by FROM genai.tasks ORDER BY seq LIMIT 1)";
  await bundle.sql(`UPDATE genai.servers SET alive_until_ms = 1 ${whose === "first" ? first : ""}`);
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
