import { setTimeout } from "node:timers/promises";
import { TcpProxy } from "@genai/protocol/conformance";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { TaskEvent } from "../../src/tasks/stored-task.ts";
import { type ChangeOutcome, type StoreChange, StoreUnavailable, type TaskStore } from "../../src/tasks/task-store.ts";
import { TestPostgres } from "../storage/support/test-postgres.ts";
import { legacyNode, modernNode, newTask, picture, setup } from "./setup.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start();
});
afterAll(() => postgres.stop());

/** A server whose link to the database can be cut. */
async function overLink() {
  const databaseUrl = await postgres.database();
  const { hostname, port } = new URL(databaseUrl);
  const proxy = await TcpProxy.to(Number(port), hostname);
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${proxy.port}`;
  const bundle = await setup({ databaseUrl: url.href });
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
      await setTimeout(100);
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
  const store = { spoilt: 0, readsFail: 0 };
  const wrap = (real: TaskStore): TaskStore =>
    new Proxy(real, {
      get(target, name) {
        if (name === "commit") {
          return async (changes: readonly StoreChange[]): Promise<readonly ChangeOutcome[]> => {
            const outcomes = await target.commit(changes);
            if (store.spoilt > 0 || !changes.some(spoils)) return outcomes;
            store.spoilt += 1;
            throw new StoreUnavailable("the answer was lost", "unknown");
          };
        }
        if ((name === "task" || name === "held" || name === "eventsOf") && store.readsFail > 0) {
          return async () => {
            store.readsFail -= 1;
            throw new StoreUnavailable("the link is down", "rolled_back");
          };
        }
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
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

/** What a listener to a task hears of it. */
function heardOf(bundle: { coordinator: Awaited<ReturnType<typeof setup>>["coordinator"] }, taskId: string) {
  const heard: TaskEvent[] = [];
  bundle.coordinator.subscribe(`task:${taskId}`, (news) => {
    if (news.type === "event") heard.push(news.event);
  });
  return heard;
}

test("the end of a task is told to who listens and waits, whose commit's answer was lost", async () => {
  await using bundle = await overLink();
  const { coordinator, sessions } = bundle;
  const task = newTask();
  await coordinator.submit(task, null);
  const heard = heardOf(bundle, task.taskId);
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[0]);
  const ended = coordinator.awaitEnd(task.taskId, 20_000).ended;
  await bundle.breakAtAnswer("taskSettled", () => coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {}));
  expect(await ended).toMatchObject({ state: "succeeded" });
  expect(heard).toEqual(await bundle.store.eventsOf(task.taskId, 1, 10));
  expect(heard.map(({ state }) => state)).toEqual(["running", "succeeded"]);
}, 30_000);

test("the same, where the store cannot say what became of it, nor be read at once", async () => {
  const { store, wrap } = forgetful(({ type }) => type === "taskSettled");
  await using bundle = await setup({ store: wrap });
  const { coordinator, sessions } = bundle;
  const task = newTask();
  await coordinator.submit(task, null);
  const heard = heardOf(bundle, task.taskId);
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[0]);
  const ended = coordinator.awaitEnd(task.taskId, 20_000).ended;
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
  await setTimeout(50);
  const startedAtMs = performance.now();
  wait.giveUp();
  expect(await wait.ended).toBeNull();
  expect(performance.now() - startedAtMs).toBeLessThan(500);
});
