import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { StoreChange, TaskStore } from "../../src/tasks/task-store.ts";
import { linkTo } from "../storage/support/link-to.ts";
import { TestPostgres } from "../storage/support/test-postgres.ts";
import { withMethods } from "../support/with-methods.ts";
import { legacyNode, modernNode, newTask, picture, setup } from "./setup.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start();
});
afterAll(() => postgres.stop());

/** A disk that takes its time before each transaction: until what `held` is at that moment resolves. */
function slowDisk() {
  const disk = { held: Promise.resolve(), sent: [] as StoreChange[] };
  const wrap = (real: TaskStore): TaskStore =>
    withMethods(real, {
      async commit(changes) {
        disk.sent.push(...changes);
        await disk.held;
        return real.commit(changes);
      },
    });
  /** Holds what is written from now on; returns its release. */
  const hold = (): (() => void) => {
    let release = (): void => {};
    disk.held = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  };
  return { disk, hold, wrap };
}

const key = { key: "k", bodyHash: "h" };

test("a repeat is never answered with a task that is about to be taken out", async () => {
  const { disk, hold, wrap } = slowDisk();
  await using bundle = await setup({ store: wrap });
  const { coordinator, store } = bundle;
  const releaseFirst = hold();
  const task = newTask();
  expect(await coordinator.submit(task, key)).toMatchObject({ type: "unavailable" });
  // The next write is as slow.
  const releaseSecond = hold();
  releaseFirst();
  while (!disk.sent.some(({ type }) => type === "submissionTakenBack")) await setTimeout(5);
  expect(await store.task(task.taskId)).not.toBeNull();
  expect(await coordinator.submit(newTask(), key)).toMatchObject({ type: "unavailable" });
  disk.held = Promise.resolve();
  releaseSecond();
  while ((await store.task(task.taskId)) !== null) await setTimeout(5);
  const again = newTask();
  expect(await coordinator.submit(again, key)).toMatchObject({ type: "stored", task: { taskId: again.taskId } });
}, 20_000);

test("a submission that was given up on its way to an idle node is taken back with its attempt, and the node gets the next", async () => {
  const { disk, hold, wrap } = slowDisk();
  await using bundle = await setup({ store: wrap });
  const { coordinator, sessions, store } = bundle;
  // Its slot would be taken for as long as an attempt may last: it hears no abort.
  await coordinator.nodes.nodeJoined(legacyNode("n1"), []);
  const release = hold();
  const [task, next] = [newTask(), newTask()];
  expect(await coordinator.submit(task, null)).toMatchObject({ type: "unavailable" });
  expect(disk.sent.map(({ type }) => type)).toContain("attemptOpened");
  disk.held = Promise.resolve();
  release();
  while (!coordinator.storeIsWritable) await setTimeout(5);
  await coordinator.submit(next, null);
  const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[0]);
  expect((await store.attempt(attemptId))?.taskId).toBe(next.taskId);
  while ((await store.task(task.taskId)) !== null) await setTimeout(5);
  expect((await store.usageOf("alice")).tasks).toMatchObject({ queued: 0, running: 1, canceled: 0 });
}, 20_000);

test.each(["waits", "was on its way to a node"])(
  "a submission that was given up and told by somebody else meanwhile is kept and done, where it %s",
  async (how) => {
    const { disk, hold, wrap } = slowDisk();
    await using bundle = await setup({ store: wrap });
    const { coordinator, sessions, store } = bundle;
    if (how !== "waits") await coordinator.nodes.nodeJoined(modernNode("n1"), []);
    const releaseFirst = hold();
    const task = newTask();
    await coordinator.submit(task, key);
    const releaseSecond = hold();
    releaseFirst();
    while (!disk.sent.some(({ type }) => type === "submissionTakenBack")) await setTimeout(5);
    expect(await store.tell(task.taskId)).toBe(true);
    disk.held = Promise.resolve();
    releaseSecond();
    if (how === "waits") await coordinator.nodes.nodeJoined(modernNode("n1"), []);
    const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[0]);
    expect((await store.attempt(attemptId))?.taskId).toBe(task.taskId);
    coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {});
    expect(await coordinator.awaitEnd(task.taskId, 10_000).ended).toMatchObject({ state: "succeeded" });
    expect(await coordinator.submit(newTask(), key)).toMatchObject({ type: "repeated", task: { taskId: task.taskId } });
  },
  20_000,
);

/** A server whose link to the database can be cut, and another beside it. */
async function twoServers() {
  const databaseUrl = await postgres.database();
  const { proxy, url } = await linkTo(databaseUrl);
  const a = await setup({ databaseUrl: url });
  const b = await setup({ databaseUrl });
  return {
    proxy,
    a,
    b,
    /** Submits at the first server, whose link is cut at the answer and stays down. */
    async giveUp(task = newTask()) {
      proxy.resetAtAnswerTo(task.taskId);
      const submitted = a.coordinator.submit(task, key);
      while (proxy.answerResets === 0) await setTimeout(1);
      proxy.refuse();
      expect(await submitted).toMatchObject({ type: "unavailable" });
      return task;
    },
    async heal() {
      proxy.heal();
      while (!a.coordinator.storeIsWritable) await setTimeout(10);
    },
    async [Symbol.asyncDispose]() {
      proxy.heal();
      await a[Symbol.asyncDispose]();
      await b[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
      await postgres.drop(databaseUrl);
    },
  };
}

test("a repeat at another server, of a submission that the first gave up, keeps the task, and its picture", async () => {
  await using servers = await twoServers();
  const { b } = servers;
  const task = await servers.giveUp();
  expect(await b.coordinator.submit(newTask(), key)).toMatchObject({ type: "repeated", task: { taskId: task.taskId } });
  await b.coordinator.nodes.nodeJoined(modernNode("n1"), []);
  const { attemptId } = await b.sessions.until(() => b.sessions.deliveries("n1")[0]);
  b.coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {});
  await b.sessions.until(() => b.sessions.said.find(({ type }) => type === "acknowledge"));
  await servers.heal();
  // What the first server had to take out is decided before what it stores behind that.
  expect(await servers.a.coordinator.submit(newTask(), null)).toMatchObject({ type: "stored" });
  expect(await b.store.task(task.taskId)).toMatchObject({ state: "succeeded" });
}, 90_000);

test("a repeat at another server takes the removal's right away while the task still waits, and the first server does it", async () => {
  await using servers = await twoServers();
  const { a, b } = servers;
  const task = await servers.giveUp();
  expect(await b.coordinator.submit(newTask(), key)).toMatchObject({ type: "repeated", task: { taskId: task.taskId } });
  await servers.heal();
  await a.coordinator.nodes.nodeJoined(modernNode("n1"), []);
  const { attemptId } = await a.sessions.until(() => a.sessions.deliveries("n1")[0]);
  expect((await b.store.attempt(attemptId))?.taskId).toBe(task.taskId);
}, 30_000);

test("what a server gave up and nobody was told of is gone once its link is back, and its key is free everywhere", async () => {
  await using servers = await twoServers();
  const { a, b } = servers;
  const task = await servers.giveUp();
  await servers.heal();
  while ((await b.store.task(task.taskId)) !== null) await setTimeout(5);
  const again = newTask();
  expect(await b.coordinator.submit(again, key)).toMatchObject({ type: "stored" });
  expect(await a.coordinator.submit(newTask(), key)).toMatchObject({
    type: "repeated",
    task: { taskId: again.taskId },
  });
}, 30_000);
