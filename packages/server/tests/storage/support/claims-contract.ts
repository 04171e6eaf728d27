import { expect, test } from "@jest/globals";
import { inserted, newTask, opened, requeued, settled } from "./builders.ts";
import { backlogOf, type StoreUnderTest } from "./store-under-test.ts";

/** What holds of claims in every store. */
export function describeClaims(setup: () => Promise<StoreUnderTest>): void {
  test("a claim takes each user's own order: handed back first, then age, with a minute for a step of priority", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const now = Date.now();
    const young = newTask({ createdAtMs: now });
    const old = newTask({ createdAtMs: now - 30_000 });
    const urgent = newTask({ createdAtMs: now, priority: 1 });
    const back = newTask({ createdAtMs: now + 5_000, priority: -10 });
    await store.commit([young, old, urgent, back].map((task) => inserted(task)));
    await store.commit([opened(back.taskId), requeued(back.taskId)]);
    await store.commit([{ type: "claimReleased", taskIds: [back.taskId] }]);
    const claimed = await store.claim({ classKeys: ["sdxl"], limit: 10, costMin: 0 });
    expect(claimed.map(({ task }) => task.taskId)).toEqual([back.taskId, urgent.taskId, old.taskId, young.taskId]);
    expect(claimed[0]).toMatchObject({ classKey: "sdxl", task: { handedBack: true, losses: 1, state: "queued" } });
  });

  test("claims go round the users, and a crowd of tasks keeps nobody else waiting", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const crowd = Array.from({ length: 40 }, () => newTask({ userId: "crowd" }));
    const few = ["a", "b", "c"].map((userId) => newTask({ userId }));
    await store.commit([...crowd, ...few].map((task) => inserted(task)));
    const users = (await store.claim({ classKeys: ["sdxl"], limit: 8, costMin: 0 })).map(({ task }) => task.userId);
    expect(users).toHaveLength(8);
    expect(new Set(users)).toEqual(new Set(["crowd", "a", "b", "c"]));
  });

  test("a claim asks for classes and for what a task may pay, and takes no task twice", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [cheap, dear, other] = [newTask({ maxCost: 1 }), newTask({ maxCost: 9 }), newTask()];
    await store.commit([inserted(cheap), inserted(dear), inserted(other, { classKey: "flux" })]);
    expect(await store.claim({ classKeys: ["none"], limit: 10, costMin: 0 })).toEqual([]);
    expect(await store.claim({ classKeys: [], limit: 10, costMin: 0 })).toEqual([]);
    const first = await store.claim({ classKeys: ["sdxl", "flux"], limit: 10, costMin: 5 });
    expect(first.map(({ task }) => task.taskId).sort()).toEqual([dear.taskId, other.taskId].sort());
    const second = await store.claim({ classKeys: ["sdxl", "flux"], limit: 10, costMin: 0 });
    expect(second.map(({ task }) => task.taskId)).toEqual([cheap.taskId]);
    expect(await store.claim({ classKeys: ["sdxl", "flux"], limit: 10, costMin: 0 })).toEqual([]);
  });

  test("claims that are made at once share what waits: each gets its own, none more than it asked for", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const tasks = Array.from({ length: 12 }, (_, n) => newTask({ userId: `u${n % 3}`, createdAtMs: 1_000 + n }));
    const dear = newTask({ maxCost: 20 });
    await store.commit([...tasks.map((task) => inserted(task)), inserted(dear, { classKey: "flux" })]);
    const ask = (classKey: string, limit: number, costMin = 0) =>
      store.claim({ classKeys: [classKey], limit, costMin });
    const claims = await Promise.all([
      ask("sdxl", 2),
      ask("flux", 3, 10),
      ask("sdxl", 1),
      ask("sdxl", 5),
      ask("sdxl", 9),
    ]);
    expect(claims.map((claimed) => claimed.length)).toEqual([2, 1, 1, 5, 4]);
    expect(claims[1]?.[0]?.task.taskId).toBe(dear.taskId);
    const taken = claims.flat().map(({ task }) => task.taskId);
    expect(new Set(taken)).toEqual(new Set([...tasks, dear].map(({ taskId }) => taskId)));
    expect(taken).toHaveLength(13);
  });

  test("a claim may take ten thousand tasks", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    for (let batch = 0; batch < 10; batch++) {
      await store.commit(Array.from({ length: 1_000 }, (_, n) => inserted(newTask({ userId: `u${n % 500}` }))));
    }
    const claimed = await store.claim({ classKeys: ["sdxl"], limit: 10_000, costMin: 0 });
    expect(new Set(claimed.map(({ task }) => task.taskId)).size).toBe(10_000);
    expect(await backlogOf(store)).toEqual({});
  }, 60_000);

  test("a task that rests after a fault is claimed when its time has come", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [resting, rested] = [newTask(), newTask()];
    await store.commit([resting, rested].flatMap((task) => [inserted(task), opened(task.taskId)]));
    await store.commit([
      requeued(resting.taskId, { notBeforeMs: Date.now() + 60_000 }),
      requeued(rested.taskId, { notBeforeMs: Date.now() - 1_000 }),
      { type: "claimReleased", taskIds: [resting.taskId, rested.taskId] },
    ]);
    const claimed = await store.claim({ classKeys: ["sdxl"], limit: 10, costMin: 0 });
    expect(claimed.map(({ task }) => task.taskId)).toEqual([rested.taskId]);
  });

  test("check 19: a rest that seems to last for an hour was reckoned by a clock that was ahead, and is over", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const task = newTask();
    await store.commit([
      inserted(task),
      opened(task.taskId),
      requeued(task.taskId, { notBeforeMs: Date.now() + 3_600_000 }),
      { type: "claimReleased", taskIds: [task.taskId] },
    ]);
    expect(await store.claim({ classKeys: ["sdxl"], limit: 1, costMin: 0 })).toMatchObject([
      { task: { taskId: task.taskId } },
    ]);
  });

  test("the backlog counts what waits outside of windows, through every move", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [first, second, held, other] = [newTask(), newTask(), newTask(), newTask()];
    await store.commit([
      inserted(first),
      inserted(second),
      inserted(held, { claimed: true }),
      inserted(other, { classKey: "flux" }),
    ]);
    expect(await backlogOf(store)).toEqual({ sdxl: 2, flux: 1 });
    expect(await store.queuedOf("alice")).toBe(4);
    await store.claim({ classKeys: ["sdxl"], limit: 1, costMin: 0 });
    expect(await backlogOf(store)).toEqual({ sdxl: 1, flux: 1 });
    await store.commit([{ type: "claimReleased", taskIds: [first.taskId, held.taskId, "unknown"] }]);
    expect(await backlogOf(store)).toEqual({ sdxl: 3, flux: 1 });
    await store.commit([opened(first.taskId), settled(second.taskId, { state: "canceled", attempt: null })]);
    expect(await backlogOf(store)).toEqual({ sdxl: 1, flux: 1 });
    await store.commit([requeued(first.taskId)]);
    expect(await backlogOf(store)).toEqual({ sdxl: 1, flux: 1 });
    expect(await store.queuedOf("alice")).toBe(3);
  });
}
