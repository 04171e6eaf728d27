import { expect, test } from "@jest/globals";
import type { NewTask } from "../../../src/storage/index.ts";
import { artifact, inserted, newTask, settled } from "./builders.ts";
import { backlogOf, type StoreUnderTest } from "./store-under-test.ts";

const standard = { type: "standard", model: "sdxl" } as const;

/** What holds of sweeps in every store. */
export function describeRetention(setup: () => Promise<StoreUnderTest>): void {
  test("the sweep ends what passed its deadline in nobody's window, and only that", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const past = Date.now() - 1_000;
    const [late, held, early] = [
      newTask({ deadlineAtMs: past }),
      newTask({ deadlineAtMs: past }),
      newTask({ deadlineAtMs: past + 60_000 }),
    ];
    await store.commit([inserted(late), inserted(held, { claimed: true }), inserted(early)]);
    const { expired } = await store.sweep({
      taskTtlMs: 1e9,
      artifactTtlMs: 1e9,
      inputTtlMs: 1e10,
      limit: 100,
      removedKeys: [],
    });
    expect(expired).toEqual([
      {
        classKey: "sdxl",
        event: expect.objectContaining({
          taskId: late.taskId,
          userId: "alice",
          number: 2,
          state: "failed",
          detail: { error: { code: "deadline_exceeded", message: expect.any(String) } },
        }),
      },
    ]);
    expect(await store.task(late.taskId)).toMatchObject({ state: "failed", error: { code: "deadline_exceeded" } });
    expect(await backlogOf(store)).toEqual({ sdxl: 1 });
  });

  test("retention takes tasks and artifacts in bites, and reports their keys once where their bytes go", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const day = 24 * 60 * 60 * 1000;
    const now = Date.now();
    const old = Array.from({ length: 5 }, () => newTask({ createdAtMs: now - 40 * day }));
    const week = newTask({ createdAtMs: now - 8 * day });
    const forgotten = newTask({ createdAtMs: now - 40 * day });
    await store.commit(
      [...old, week].flatMap((task, index) => [
        inserted(task),
        settled(task.taskId, { artifacts: [artifact(`attempts/${index}/0`)], atMs: task.createdAtMs, attempt: null }),
      ]),
    );
    await store.commit([inserted(forgotten)]);
    const keys: string[] = [];
    let deleted = 0;
    let expired = 0;
    let removedKeys: readonly string[] = [];
    for (let bite = 0; bite < 12; bite++) {
      const result = await store.sweep({
        taskTtlMs: 30 * day,
        artifactTtlMs: 7 * day,
        inputTtlMs: 1e10,
        limit: 2,
        removedKeys,
      });
      expect(result.artifactKeys.length).toBeLessThanOrEqual(2);
      removedKeys = result.artifactKeys;
      keys.push(...removedKeys);
      deleted += result.deleted;
      expired += result.expired.length;
    }
    expect(deleted).toBe(5);
    expect(expired).toBe(1);
    expect(keys.sort()).toEqual([0, 1, 2, 3, 4, 5].map((index) => `attempts/${index}/0`));
    expect(await store.task(old[0]?.taskId ?? "")).toBeNull();
    expect(await store.attemptsOf(old[0]?.taskId ?? "")).toEqual([]);
    expect(await store.task(week.taskId)).toMatchObject({ artifacts: [{ key: null }] });
    expect(await store.task(forgotten.taskId)).toMatchObject({ state: "failed" });
    expect(
      await store.sweep({ taskTtlMs: 30 * day, artifactTtlMs: 7 * day, inputTtlMs: 1e10, limit: 2, removedKeys }),
    ).toMatchObject({
      artifactKeys: [],
    });
  });

  test("an artifact that was not removed is reported again, over a restart too, and is in no other's way", async () => {
    await using bundle = await setup();
    let { store } = bundle;
    const day = 24 * 60 * 60 * 1000;
    const task = newTask({ createdAtMs: Date.now() - 8 * day });
    const keys = [0, 1, 2, 3, 4].map((number) => `attempts/a/${number}`);
    const artifacts = keys.map((key) => artifact(key));
    await store.commit([inserted(task), settled(task.taskId, { artifacts, atMs: task.createdAtMs, attempt: null })]);
    const swept = async (removedKeys: readonly string[] = []) =>
      (await store.sweep({ taskTtlMs: 30 * day, artifactTtlMs: 7 * day, inputTtlMs: 1e10, limit: 2, removedKeys }))
        .artifactKeys;
    expect([await swept(), await swept(), await swept()]).toEqual([keys.slice(0, 2), keys.slice(2, 4), keys.slice(4)]);
    expect([await swept(keys.slice(2)), await swept()]).toEqual([keys.slice(0, 2), []]);
    store = await bundle.reopen();
    expect([await swept(), await swept(keys)]).toEqual([keys.slice(0, 2), []]);
    expect([await swept(), await swept()]).toEqual([[], []]);
  });

  test("large inputs are counted to their user, over a restart, as long as they are there", async () => {
    await using bundle = await setup();
    let { store } = bundle;
    const large = [1, 2, 3].map(() => newTask({ pipeline: { ...standard, prompt: "ü".repeat(50_000) } }));
    const [first, second, third] = large as [NewTask, NewTask, NewTask];
    await store.commit([
      ...[first, second, third].map((task) => inserted(task)),
      inserted(newTask({ pipeline: { ...standard, prompt: "u".repeat(60_000) } })),
      inserted(newTask({ userId: "bob", pipeline: { ...standard, prompt: "u".repeat(70_000) } })),
    ]);
    const bytes = Buffer.byteLength(JSON.stringify(first.pipeline));
    expect(bytes).toBeGreaterThan(100_000);
    expect(await store.inputBytesOf("alice")).toBe(3 * bytes);
    await store.commit([
      { type: "submissionTakenBack", taskId: first.taskId },
      settled(second.taskId, { state: "canceled", attempt: null }),
      { type: "taskDeleted", taskId: second.taskId },
    ]);
    store = await bundle.reopen();
    expect(await store.inputBytesOf("alice")).toBe(bytes);
    expect(await store.inputBytesOf("bob")).toBeGreaterThan(70_000);
    expect(await store.inputBytesOf("nobody")).toBe(0);
  });

  test("large inputs of ended tasks go after their time, a bite at a time, and nothing else does", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const hour = 3_600_000;
    const oldMs = Date.now() - 3 * hour;
    const make = (chars: number) =>
      newTask({ createdAtMs: oldMs, pipeline: { ...standard, prompt: "u".repeat(chars) } });
    const [waiting, small] = [make(70_000), make(60_000)];
    const ended = Array.from({ length: 5 }, () => make(70_000));
    const young = make(70_000);
    await store.commit([
      inserted(waiting),
      ...[...ended, small].flatMap((task) => [
        inserted(task),
        settled(task.taskId, { state: "canceled", atMs: oldMs, attempt: null }),
      ]),
      inserted(young),
      settled(young.taskId, { state: "canceled", atMs: Date.now(), attempt: null }),
    ]);
    const sweep = async (inputTtlMs: number) => {
      const all = { taskTtlMs: 24 * hour, artifactTtlMs: 24 * hour, inputTtlMs, limit: 2, removedKeys: [] };
      let removed = 0;
      for (let bite = 0; bite < 8; bite++) {
        const { inputs } = await store.sweep(all);
        expect(inputs).toBeLessThanOrEqual(2);
        removed += inputs;
      }
      return removed;
    };
    expect(await sweep(4 * hour)).toBe(0);
    expect(await sweep(2 * hour)).toBe(5);
    for (const { taskId } of ended) {
      expect(await store.pipelineOf(taskId)).toBeNull();
      expect(await store.task(taskId)).toMatchObject({ state: "canceled" });
    }
    for (const { taskId, pipeline } of [waiting, small, young])
      expect(await store.pipelineOf(taskId)).toEqual(pipeline);
    expect(await store.inputBytesOf("alice")).toBe(2 * Buffer.byteLength(JSON.stringify(waiting.pipeline)));
  });

  test("retention says that there is more as long as old tasks may follow, whatever cannot go yet stands before them", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const day = 24 * 60 * 60 * 1000;
    const now = Date.now();
    const ended = Array.from({ length: 3 }, () => newTask({ createdAtMs: now - 40 * day }));
    const kept = newTask({ createdAtMs: now - 40 * day, deadlineAtMs: now + day });
    const [first, ...others] = ended.map((task) => [
      inserted(task),
      settled(task.taskId, { atMs: task.createdAtMs, attempt: null }),
    ]);
    await store.commit([...(first ?? []), inserted(kept), ...others.flat(), inserted(newTask())]);
    let deleted = 0;
    for (let more = true, bite = 0; more && bite < 10; bite++) {
      const result = await store.sweep({
        taskTtlMs: 30 * day,
        artifactTtlMs: 7 * day,
        inputTtlMs: 1e10,
        limit: 2,
        removedKeys: [],
      });
      deleted += result.deleted;
      more = result.more;
    }
    expect(deleted).toBe(3);
    expect(await store.task(kept.taskId)).toMatchObject({ state: "queued" });
  });
}
