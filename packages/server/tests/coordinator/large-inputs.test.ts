import { expect, test } from "@jest/globals";
import type { NewTask } from "../../src/tasks/stored-task.ts";
import { modernNode, newTask, picture, setup } from "./setup.ts";

const KIB = 1_024;

/** A task with a picture of so many characters in base64. */
const taskWith = (chars: number, more: Partial<NewTask> = {}): NewTask =>
  newTask({
    pipeline: { type: "standard", prompt: "a fox", model: "", image: { base64: "A".repeat(chars) } },
    ...more,
  });

test("a user's large inputs are bounded, small ones and other users' are not", async () => {
  await using bundle = await setup({ inputBytesMax: 300 * KIB });
  const { coordinator } = bundle;
  const submit = (task: NewTask) => coordinator.submit(task, null);
  for (const chars of [100 * KIB, 150 * KIB]) expect(await submit(taskWith(chars))).toMatchObject({ type: "stored" });
  expect(await submit(taskWith(100 * KIB))).toMatchObject({
    type: "queue_full",
    message: expect.stringMatching(/^The large inputs of your tasks take \d+ bytes, and this one \d+ more; 307200 are/),
  });
  expect(await submit(taskWith(60 * KIB))).toMatchObject({ type: "stored" });
  expect(await submit(taskWith(100 * KIB, { userId: "bob" }))).toMatchObject({ type: "stored" });
  const images = { "fox.png": "A".repeat(60 * KIB), "hare.png": "A".repeat(60 * KIB) };
  expect(await submit(newTask({ pipeline: { type: "comfy", workflow: {}, images } }))).toMatchObject({
    type: "queue_full",
  });
  expect(await submit(newTask({ pipeline: { type: "comfy", workflow: "x".repeat(100 * KIB) } }))).toMatchObject({
    type: "queue_full",
  });
});

test("submissions at once get no more room together than there is, and what was not stored takes none", async () => {
  await using bundle = await setup({ inputBytesMax: 350 * KIB });
  const { coordinator } = bundle;
  const repeated = { key: "k", bodyHash: "h" };
  const typesOf = async (outcomes: readonly Promise<{ readonly type: string }>[]) =>
    (await Promise.all(outcomes)).map(({ type }) => type).sort();
  const first = await typesOf([
    ...Array.from({ length: 3 }, () => coordinator.submit(taskWith(100 * KIB), repeated)),
    coordinator.submit(taskWith(100 * KIB), { key: "k", bodyHash: "another" }),
  ]);
  expect(first).toEqual(["key_reused", "repeated", "repeated", "stored"]);
  const others = await typesOf(Array.from({ length: 4 }, () => coordinator.submit(taskWith(100 * KIB), null)));
  expect(others).toEqual(["queue_full", "queue_full", "stored", "stored"]);
  expect(await bundle.store.inputBytesOf("alice")).toBeGreaterThan(300 * KIB);
});

test("what is taken outlives a restart, and is free again when ended tasks' inputs go or a task is deleted", async () => {
  await using bundle = await setup({ inputBytesMax: 250 * KIB });
  const { sessions } = bundle;
  const submit = () => bundle.coordinator.submit(taskWith(100 * KIB), null);
  const ended = taskWith(100 * KIB);
  await bundle.coordinator.submit(ended, null);
  await submit();
  await bundle.restart();
  expect(await submit()).toMatchObject({ type: "queue_full" });
  await bundle.coordinator.nodes.nodeJoined(modernNode("n1", { imageInput: true }), []);
  const [first] = await sessions.until(() => sessions.deliveries("n1").length > 0 && sessions.deliveries("n1"));
  bundle.coordinator.nodes.attemptCompleted("n1", first?.attemptId ?? "", [picture()], {});
  await bundle.coordinator.awaitEnd(ended.taskId, 10_000).ended;
  expect(await submit()).toMatchObject({ type: "queue_full" });
  const all = { taskTtlMs: 1e10, artifactTtlMs: 1e10, limit: 100, removedKeys: [] };
  expect(await bundle.store.sweep({ ...all, inputTtlMs: -60_000 })).toMatchObject({ inputs: 1 });
  expect(await bundle.store.pipelineOf(ended.taskId)).toBeNull();
  const third = await submit();
  expect(third).toMatchObject({ type: "stored" });
  expect(await submit()).toMatchObject({ type: "queue_full" });
  const { taskId } = (third as Extract<typeof third, { type: "stored" }>).task;
  await bundle.coordinator.cancel(taskId);
  await bundle.store.commit([{ type: "taskDeleted", taskId }]);
  expect(await submit()).toMatchObject({ type: "stored" });
});
