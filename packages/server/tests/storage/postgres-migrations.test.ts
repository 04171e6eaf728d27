import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { migrateStore } from "../../src/storage/index.ts";
import { changed, inserted, newTask, opened, requeued, settled } from "./support/builders.ts";
import { setupPostgres } from "./support/postgres-bundle.ts";
import { TestPostgres } from "./support/test-postgres.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start(["fsync=off", "autovacuum=off"]);
});
afterAll(() => postgres.stop());
const setup = () => setupPostgres(postgres);

test("check 23: starters at the same time migrate once, and a second migration finds nothing to do", async () => {
  await using bundle = await setup();
  const results = await Promise.all(Array.from({ length: 8 }, () => migrateStore(bundle)));
  expect(results.filter((result) => result.from === 0)).toHaveLength(1);
  expect(await migrateStore(bundle)).toEqual({ from: 11, to: 11 });
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
  await store.sweep({ taskTtlMs: 60_000, artifactTtlMs: 60_000, inputTtlMs: 1e10, limit: 10, removedKeys: [] });
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
