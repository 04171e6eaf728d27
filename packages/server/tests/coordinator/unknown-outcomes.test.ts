import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { TaskEvent } from "../../src/tasks/stored-task.ts";
import { type StoreChange, StoreUnavailable, type TaskStore } from "../../src/tasks/task-store.ts";
import { linkTo } from "../storage/support/link-to.ts";
import { TestPostgres } from "../storage/support/test-postgres.ts";
import { withMethods } from "../support/with-methods.ts";
import { legacyNode, modernNode, newTask, picture, setup } from "./setup.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start();
});
afterAll(() => postgres.stop());

/** A server whose link to the database can be cut. */
async function overLink() {
  const databaseUrl = await postgres.database();
  const { proxy, url } = await linkTo(databaseUrl);
  const bundle = await setup({ databaseUrl: url });
  return {
    ...bundle,
    proxy,
    /** The link breaks at the answer to a commit that names `text`, and comes back once the server has noticed. */
    async breakAtAnswer(text: string, act: () => void) {
      proxy.resetAtAnswerTo(text);
      act();
      while (proxy.answerResets === 0) await setTimeout(1);
      proxy.refuse();
      while (bundle.coordinator.storeIsWritable) await setTimeout(10);
      proxy.heal();
      while (!bundle.coordinator.storeIsWritable) await setTimeout(10);
    },
    async [Symbol.asyncDispose]() {
      proxy.heal();
      await bundle[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
      await postgres.drop(databaseUrl);
    },
  };
}

/** A store that does what `spoils` picks, says that nobody knows whether it did, and can say no more of it. */
function forgetful(spoils: (change: StoreChange) => boolean) {
  const store = { spoilt: 0, readsFail: 0, readsFailed: 0 };
  const read = (): void => {
    if (store.readsFail === 0) return;
    store.readsFail -= 1;
    store.readsFailed += 1;
    throw new StoreUnavailable("the link is down", "rolled_back");
  };
  const wrap = (real: TaskStore): TaskStore =>
    withMethods(real, {
      async commit(changes) {
        const outcomes = await real.commit(changes);
        if (store.spoilt > 0 || !changes.some(spoils)) return outcomes;
        store.spoilt += 1;
        throw new StoreUnavailable("the answer was lost", "unknown");
      },
      async task(taskId) {
        read();
        return real.task(taskId);
      },
      async held(taskId) {
        read();
        return real.held(taskId);
      },
      async eventsOf(...given) {
        read();
        return real.eventsOf(...given);
      },
    });
  return { store, wrap };
}

test("a task whose attempt was opened and closed in a commit of which nobody heard is given to the next node", async () => {
  await using bundle = await overLink();
  const { coordinator, sessions } = bundle;
  const task = newTask();
  await coordinator.submit(task, null);
  await bundle.breakAtAnswer(task.taskId, () => {
    void coordinator.nodes.nodeJoined(legacyNode("n1"), []);
    coordinator.nodes.nodeLost("n1", "left");
  });
  await coordinator.nodes.nodeJoined(legacyNode("n2"), []);
  const { attemptId } = await sessions.until(() => sessions.deliveries("n2")[0]);
  expect(await bundle.store.attempt(attemptId)).toMatchObject({ taskId: task.taskId, attempt: 2 });
  // Nothing was written twice.
  const events = await bundle.store.eventsOf(task.taskId, 0, 10);
  expect(events.map(({ state, detail }) => [state, detail.attempt])).toEqual([
    ["queued", undefined],
    ["running", 1],
    ["queued", 1],
    ["running", 2],
  ]);
}, 30_000);

test.each(["the store", "PostgreSQL"])(
  "the same, where %s cannot say what became of it: what is ours in the store is taken in again",
  async (where) => {
    const { store, wrap } = forgetful(({ type }) => type === "attemptOpened");
    const databaseUrl = where === "PostgreSQL" ? { databaseUrl: await postgres.database() } : {};
    await using bundle = await setup({ store: wrap, ...databaseUrl });
    const { coordinator, sessions } = bundle;
    const task = newTask();
    await coordinator.submit(task, null);
    void coordinator.nodes.nodeJoined(legacyNode("n1"), []);
    coordinator.nodes.nodeLost("n1", "left");
    while (store.spoilt === 0) await setTimeout(5);
    store.readsFail = 2;
    await coordinator.nodes.nodeJoined(legacyNode("n2"), []);
    const { attemptId } = await sessions.until(() => sessions.deliveries("n2")[0]);
    expect((await bundle.store.attempt(attemptId))?.taskId).toBe(task.taskId);
    expect(await bundle.store.queuedOf("alice")).toBe(0);
  },
  30_000,
);

/** A task that runs at a node, what a listener hears of it, and somebody who waits for its end. */
async function running({ coordinator, sessions }: Pick<Awaited<ReturnType<typeof setup>>, "coordinator" | "sessions">) {
  const task = newTask();
  await coordinator.submit(task, null);
  const heard: TaskEvent[] = [];
  coordinator.subscribe(`task:${task.taskId}`, (news) => {
    if (news.type === "event") heard.push(news.event);
  });
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[0]);
  return { task, heard, attemptId, ended: coordinator.awaitEnd(task.taskId, 20_000).ended };
}

test("the end of a task is told to who listens and waits, whose commit's answer was lost", async () => {
  await using bundle = await overLink();
  const { coordinator } = bundle;
  const { task, heard, attemptId, ended } = await running(bundle);
  await bundle.breakAtAnswer("taskSettled", () => coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {}));
  expect(await ended).toMatchObject({ state: "succeeded" });
  expect(heard).toEqual(await bundle.store.eventsOf(task.taskId, 1, 10));
  expect(heard.map(({ state }) => state)).toEqual(["running", "succeeded"]);
}, 30_000);

test("the same, where the store cannot say what became of it, nor be read at once", async () => {
  const { store, wrap } = forgetful(({ type }) => type === "taskSettled");
  await using bundle = await setup({ store: wrap });
  const { coordinator } = bundle;
  const { task, heard, attemptId, ended } = await running(bundle);
  store.readsFail = 3;
  coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {});
  expect(await ended).toMatchObject({ state: "succeeded" });
  while (!heard.some(({ state }) => state === "succeeded")) await setTimeout(5);
  expect(heard).toEqual(await bundle.store.eventsOf(task.taskId, 1, 10));
}, 30_000);

test("a wait that is given up while the store is away ends at once", async () => {
  const { store, wrap } = forgetful(() => false);
  await using bundle = await setup({ store: wrap });
  store.readsFail = Number.POSITIVE_INFINITY;
  const wait = bundle.coordinator.awaitEnd(newTask().taskId, 20_000);
  while (store.readsFailed === 0) await setTimeout(5);
  wait.giveUp();
  // Not with the next look, which is a second away.
  const nextTurn = new Promise((resolve) => setImmediate(() => resolve("still waits")));
  expect(await Promise.race([wait.ended, nextTurn])).toBeNull();
});
