import { expect, test } from "@jest/globals";
import type { ClaimedTask, TaskStore } from "../../src/tasks/task-store.ts";
import { withMethods } from "../support/with-methods.ts";
import { legacyNode, modernNode, newTask, picture, setup } from "./setup.ts";

const canceled = (taskId: string) =>
  ({ type: "taskSettled", taskId, state: "canceled", attempt: null, artifacts: [], error: null, atMs: 1 }) as const;

test("a task that ended in the store leaves the window when it should be sent, and its slot is free at once", async () => {
  await using bundle = await setup();
  const { coordinator, sessions, store } = bundle;
  const [gone, next] = [newTask({ priority: 1 }), newTask()];
  for (const task of [gone, next]) await coordinator.submit(task, null);
  await store.commit([canceled(gone.taskId)]);
  const ended = coordinator.awaitEnd(gone.taskId, 10_000).ended;
  await coordinator.nodes.nodeJoined(legacyNode("n1"), []);
  const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[0]);
  expect((await store.attempt(attemptId))?.taskId).toBe(next.taskId);
  expect(await ended).toMatchObject({ state: "canceled" });
  expect(await coordinator.cancel(gone.taskId)).toMatchObject({ type: "canceled" });
  expect(await coordinator.awaitEnd(gone.taskId, 10_000).ended).toMatchObject({ state: "canceled" });
});

test("a waiter hears the end that is stored, whatever the node brings later", async () => {
  await using bundle = await setup();
  const { coordinator, sessions, store } = bundle;
  const task = newTask();
  await coordinator.submit(task, null);
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[0]);
  const ended = coordinator.awaitEnd(task.taskId, 10_000).ended;
  await store.commit([canceled(task.taskId)]);
  coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {});
  expect(await ended).toMatchObject({ state: "canceled", artifacts: [] });
});

/** A store whose answers to claims are held back while `held` is set. */
function slowToAnswer() {
  const claims = { held: null as Promise<void> | null, answers: [] as readonly ClaimedTask[] };
  const wrap = (real: TaskStore): TaskStore =>
    withMethods(real, {
      async claim(request) {
        const claimed = await real.claim(request);
        if (claims.held === null) return claimed;
        claims.answers = claimed;
        await claims.held;
        return claimed;
      },
    });
  return { claims, wrap };
}

test("a task that is canceled while a claim of it is under way never comes into the window", async () => {
  const { claims, wrap } = slowToAnswer();
  await using bundle = await setup({ store: wrap });
  const { coordinator, sessions } = bundle;
  const tasks = Array.from({ length: 200 }, () => newTask());
  await Promise.all(tasks.map((task) => coordinator.submit(task, null)));
  let answer = (): void => {};
  claims.held = new Promise((resolve) => {
    answer = resolve;
  });
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  let done = 0;
  const finishNext = async () => {
    const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[done]);
    done += 1;
    coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {});
  };
  while (claims.answers.length === 0) await finishNext();
  const { taskId } = (claims.answers.at(-1) as ClaimedTask).task;
  expect(await coordinator.cancel(taskId)).toMatchObject({ type: "canceled" });
  claims.held = null;
  answer();
  while (done < tasks.length - 1) await finishNext();
  expect(coordinator.dispatcher.task(taskId)).toBeNull();
  expect(await coordinator.awaitEnd(taskId, 1_000).ended).toMatchObject({ state: "canceled" });
  expect(await coordinator.cancel(taskId)).toMatchObject({ type: "canceled" });
  expect(await bundle.store.queuedOf("alice")).toBe(0);
});

test("what the sweep ends is told to who listens and waits, and counts as waiting no more", async () => {
  const [windowful, late] = [64, 6];
  await using bundle = await setup({ queuedMax: windowful + late });
  const { coordinator, store } = bundle;
  for (let held = 0; held < windowful; held++) await coordinator.submit(newTask(), null);
  const tasks = Array.from({ length: late }, () => newTask({ deadlineAtMs: 1 }));
  const heard: string[] = [];
  coordinator.subscribe("user:alice", (news) => {
    if (news.type === "event" && news.event.state === "failed") heard.push(news.event.taskId);
  });
  for (const task of tasks) expect(await coordinator.submit(task, null)).toMatchObject({ type: "stored" });
  expect(await coordinator.submit(newTask(), null)).toMatchObject({ type: "queue_full" });
  const ends = tasks.map(({ taskId }) => coordinator.awaitEnd(taskId, 10_000).ended);
  const { expired } = await store.sweep({
    taskTtlMs: 1e10,
    artifactTtlMs: 1e10,
    inputTtlMs: 1e10,
    limit: 100,
    removedKeys: [],
  });
  coordinator.expired(expired);
  expect(heard.sort()).toEqual(tasks.map(({ taskId }) => taskId).sort());
  for (const end of ends) expect(await end).toMatchObject({ state: "failed", error: { code: "deadline_exceeded" } });
  expect(await coordinator.submit(newTask(), null)).toMatchObject({ type: "stored" });
});
