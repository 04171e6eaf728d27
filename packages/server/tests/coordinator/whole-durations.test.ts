import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { systemClock } from "../../src/clock.ts";
import { TestPostgres } from "../storage/support/test-postgres.ts";
import { modernNode, newTask, setup } from "./setup.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start();
});
afterAll(() => postgres.stop());

test.each(["sqlite", "postgres"])("a requeue in the middle of a backoff can be stored: %s", async (kind) => {
  let aheadMs = 0;
  const clock = { monotonicMs: () => systemClock.monotonicMs() + aheadMs, wallMs: () => Date.now() };
  await using bundle = await setup({ clock, ...(kind === "postgres" && { databaseUrl: await postgres.database() }) });
  const { coordinator, sessions, store } = bundle;
  const task = newTask();
  await coordinator.submit(task, null);
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  const first = await sessions.until(() => sessions.deliveries("n1")[0]);
  coordinator.nodes.nodeLost("n1", "broken");
  // Beyond the grace: the task may have a second attempt.
  aheadMs += 4_000;
  await coordinator.nodes.nodeJoined(modernNode("n2"), []);
  const second = await sessions.until(() => sessions.deliveries("n2")[0]);
  await coordinator.nodes.nodeJoined(modernNode("n1"), [{ attemptId: first.attemptId, state: "running" }]);
  coordinator.nodes.attemptFailed("n2", second.attemptId, { code: "oom", message: "no memory" }, "node");
  coordinator.nodes.attemptRejected("n1", first.attemptId, "the node leaves");

  expect(await coordinator.submit(newTask(), null)).toMatchObject({ type: "stored" });
  expect(coordinator.storeIsWritable).toBe(true);
  expect(await store.task(task.taskId)).toMatchObject({ state: "queued", faults: 1 });
});
