import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { requirementClassKey } from "@genai/dispatcher";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import pg from "pg";
import { openTaskStore, type TaskStore } from "../../src/storage/index.ts";
import { TestPostgres } from "../storage/support/test-postgres.ts";
import { withMethods } from "../support/with-methods.ts";
import { legacyNode, modernNode, newTask, picture, setup } from "./setup.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start();
});
afterAll(() => postgres.stop());

/** A store of another server in the same database. */
async function another(databaseUrl: string) {
  const home = await mkdtemp(join(tmpdir(), "genai-another-"));
  const store = await openTaskStore({ databaseUrl, home });
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store.close();
      await rm(home, { recursive: true });
    },
  };
}

test("check 24: a task that another server stored is found without a notification, within two seconds", async () => {
  const databaseUrl = await postgres.database();
  await using bundle = await setup({ databaseUrl });
  await using other = await another(databaseUrl);
  await bundle.coordinator.nodes.nodeJoined(modernNode("n1"), []);
  const delays: number[] = [];
  for (let round = 0; round < 3; round++) {
    const task = newTask();
    const classKey = requirementClassKey(task.requirements);
    await other.store.commit([{ type: "taskInserted", task, classKey, claimed: false, idempotency: null }]);
    const startedAtMs = performance.now();
    const { attemptId } = await bundle.sessions.until(() => bundle.sessions.deliveries("n1")[round]);
    delays.push(performance.now() - startedAtMs);
    expect((await bundle.store.attempt(attemptId))?.taskId).toBe(task.taskId);
    bundle.coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {});
  }
  console.info(`found after ${delays.map((delay) => `${Math.round(delay)} ms`).join(", ")} by polling each second`);
});

test("what a server left that never comes back is finished by another", async () => {
  const databaseUrl = await postgres.database();
  await using bundle = await setup({ databaseUrl });
  await using gone = await another(databaseUrl);
  const [running, waiting] = [newTask(), newTask()];
  const insertion = { classKey: requirementClassKey(running.requirements), claimed: true, idempotency: null } as const;
  await gone.store.commit([
    { type: "taskInserted", task: running, ...insertion },
    { type: "taskInserted", task: waiting, ...insertion },
    {
      type: "attemptOpened",
      attemptId: bundle.newId(),
      taskId: running.taskId,
      attempt: 1,
      nodeId: "old",
      legacy: true,
      cost: 0,
      limitMs: 150_000,
      atMs: Date.now(),
    },
  ]);
  // Its last sign of life is longer ago than its claims outlive it.
  const client = new pg.Client(databaseUrl);
  await client.connect();
  await client.query(
    "UPDATE genai.servers SET alive_until_ms = 0 WHERE server_id IN (SELECT claimed_by FROM genai.tasks)",
  );
  await client.end();
  await bundle.coordinator.nodes.nodeJoined(modernNode("n1", { slots: 2 }), []);
  await bundle.sessions.until(() => bundle.sessions.deliveries("n1").length === 2);
  const given = await Promise.all(
    bundle.sessions.deliveries("n1").map(async ({ attemptId }) => (await bundle.store.attempt(attemptId))?.taskId),
  );
  expect(new Set(given)).toEqual(new Set([running.taskId, waiting.taskId]));
});

test("a running task whose row somebody has locked while its server starts is kept by the node that lists it", async () => {
  const databaseUrl = await postgres.database();
  await using bundle = await setup({ databaseUrl });
  await bundle.coordinator.nodes.nodeJoined(modernNode("n1"), []);
  expect(await bundle.coordinator.submit(newTask(), null)).toMatchObject({ type: "stored" });
  const { attemptId } = await bundle.sessions.until(() => bundle.sessions.deliveries("n1")[0]);
  const holder = new pg.Client(databaseUrl);
  await holder.connect();
  await holder.query("BEGIN; SELECT 1 FROM genai.tasks FOR NO KEY UPDATE");
  const restarted = bundle.restart();
  // Longer than any other call waits for the database.
  await setTimeout(2_500);
  await holder.query("ROLLBACK");
  await holder.end();
  await restarted;
  const joined = await bundle.coordinator.nodes.nodeJoined(modernNode("n1"), [{ attemptId, state: "running" }]);
  expect(joined).toMatchObject({ keep: [attemptId], stop: [] });
});

test("what a takeover brings and the window holds already goes on as it is", async () => {
  const brought: string[] = [];
  const wrap = (real: TaskStore): TaskStore =>
    withMethods(real, {
      async *takeOver() {
        const [{ taskId } = task] = (await real.tasksOf("alice", {}, 1, null)).tasks;
        const stored = await real.task(taskId);
        if (stored === null) return;
        yield [{ task: stored, classKey: requirementClassKey(task.requirements), open: await real.attemptsOf(taskId) }];
        brought.push(taskId);
      },
    });
  await using bundle = await setup({ store: wrap });
  const task = newTask();
  await bundle.coordinator.nodes.nodeJoined(legacyNode("n1"), []);
  await bundle.coordinator.submit(task, null);
  const { attemptId } = await bundle.sessions.until(() => bundle.sessions.deliveries("n1")[0]);
  while (brought.length === 0) await setTimeout(50);
  bundle.coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {});
  expect(await bundle.coordinator.awaitEnd(task.taskId, 5_000).ended).toMatchObject({ state: "succeeded" });
  expect((await bundle.store.eventsOf(task.taskId, 0, 10)).map(({ state }) => state)).toEqual([
    "queued",
    "running",
    "succeeded",
  ]);
});
