import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import type { NewTask } from "../../src/tasks/stored-task.ts";
import { modernNode, newTask, picture, setup } from "./setup.ts";

/** Classes of which one user may have tasks in the window: 256, and one more for each second in which none of them empties. */
const CLASSES_MAX = 256 + 20;

type Bundle = Awaited<ReturnType<typeof setup>>;

const taskOf = (userId: string, model: string, more: Partial<NewTask> = {}): NewTask =>
  newTask({ userId, requirements: { ...newTask().requirements, models: [model] }, ...more });

/** Tasks of a user with a model name of its own for each. */
const manyModels = async ({ coordinator }: Bundle, userId: string, count: number, name = "model"): Promise<void> => {
  const tasks = Array.from({ length: count }, (_, index) => taskOf(userId, `${name}-${index}`));
  const outcomes = await Promise.all(tasks.map((task) => coordinator.submit(task, null)));
  for (const outcome of outcomes) expect(outcome.type).toBe("stored");
};

/** Lets the nodes finish what they are sent until `done`. */
const work = async ({ coordinator, sessions }: Bundle, done: () => boolean): Promise<void> => {
  for (let heard = 0; !done(); ) {
    await sessions.until(() => sessions.said.length > heard);
    const said = sessions.said[heard++];
    if (said?.type !== "deliver") continue;
    coordinator.nodes.attemptCompleted(said.nodeId, said.delivery.attemptId, [picture()], { gpuMs: 10 });
  }
};

/** Lets a node with four slots take `tasks`. Gives the most classes that a user had waiting in the window meanwhile. */
const mostClasses = async (bundle: Bundle, userId: string, tasks: number): Promise<number> => {
  const { coordinator, sessions } = bundle;
  let most = 0;
  await coordinator.nodes.nodeJoined(modernNode("n1", { slots: 4 }), []);
  await work(bundle, () => {
    most = Math.max(most, coordinator.dispatcher.waitingClassesOf(userId));
    return sessions.deliveries().length === tasks;
  });
  return most;
};

const settledOf = async ({ store }: Bundle, userId: string): Promise<number> =>
  (await store.usageOf(userId)).tasks.succeeded;

test("a user with a model name for each task has a bounded number of them in the window, and all are done in the end", async () => {
  await using bundle = await setup();
  const { coordinator } = bundle;
  await manyModels(bundle, "mallory", 300);
  expect(coordinator.dispatcher.waitingClassesOf("mallory")).toBeLessThanOrEqual(CLASSES_MAX);
  await manyModels(bundle, "bob", 1, "own");
  expect(coordinator.dispatcher.waitingClassesOf("bob")).toBe(1);

  expect(await mostClasses(bundle, "mallory", 301)).toBeLessThanOrEqual(CLASSES_MAX);
});

test("who shares the classes of such a user, or has tasks of them outside, is served beside it", async () => {
  await using bundle = await setup();
  const { coordinator, sessions } = bundle;
  await manyModels(bundle, "mallory", 300);
  await manyModels(bundle, "mona", 280);
  await coordinator.submit(taskOf("bob", "model-299"), null);
  expect(coordinator.dispatcher.waitingClassesOf("bob")).toBe(1);
  await coordinator.nodes.nodeJoined(modernNode("n1", { slots: 4 }), []);
  await work(bundle, () => sessions.deliveries().length === 581);
  for (const [userId, tasks] of [
    ["mallory", 300],
    ["mona", 280],
    ["bob", 1],
  ] as const) {
    expect(await settledOf(bundle, userId)).toBeGreaterThanOrEqual(tasks - 4);
  }
});

test("after a restart the window is as bounded, and what waited outside is done", async () => {
  await using bundle = await setup();
  await manyModels(bundle, "mallory", 300);
  await bundle.restart();
  const { coordinator } = bundle;
  await until("as many classes wait inside as may", () => coordinator.dispatcher.waitingClassesOf("mallory") >= 256);
  await coordinator.submit(taskOf("bob", "model-299"), null);
  expect(await mostClasses(bundle, "mallory", 301)).toBeLessThanOrEqual(CLASSES_MAX);
});

test("models that nobody has do not keep a user's other tasks outside", async () => {
  await using bundle = await setup();
  const { coordinator, sessions } = bundle;
  await coordinator.nodes.nodeJoined(modernNode("n1", { models: ["fox"] }), []);
  await manyModels(bundle, "mallory", 258, "nowhere");
  // Somebody else keeps the node busy, so that no idle slot asks for anything.
  for (let index = 0; index < 20; index++) await coordinator.submit(taskOf("bob", "fox"), null);
  const task = taskOf("mallory", "fox");
  await coordinator.submit(task, null);
  await until("the task is in the window", () => coordinator.dispatcher.task(task.taskId) !== null);
  let settled = false;
  const ended = coordinator.awaitEnd(task.taskId, 60_000).ended.finally(() => {
    settled = true;
  });
  await work(bundle, () => settled);
  expect((await ended)?.state).toBe("succeeded");
  expect(sessions.deliveries().length).toBeLessThan(22);
}, 30_000);
