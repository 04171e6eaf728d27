import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import type { ChangeOutcome, NewTask, TaskEvent, TaskStore } from "../../../src/storage/index.ts";
import type { DeliveryStore } from "../../../src/webhooks/delivery-store.ts";
import { artifact, changed, inserted, newTask, opened, requeued, settled } from "./builders.ts";

const standard = { type: "standard", model: "sdxl" } as const;

type Store = TaskStore & Pick<DeliveryStore, "outboxDue" | "outboxTried">;

/** What a suite needs of an adapter. Each test gets an empty store of its own. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Ends the store as a crash of the server would leave it for its next start, and opens it again. */
  reopen(): Promise<Store>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What holds for every store. Run over each adapter and over the model in memory. */
export function describeTaskStore(setup: () => Promise<StoreUnderTest>): void {
  test("a task that was committed is there as it was handed over, with its pipeline apart", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const task = newTask({ priority: 3, deadlineAtMs: Date.now() + 60_000, metadata: '{"shop":"7"}' });
    const [outcome] = await store.commit([inserted(task)]);
    expect(eventOf(outcome)).toEqual({
      position: 1,
      taskId: task.taskId,
      userId: "alice",
      number: 1,
      atMs: task.createdAtMs,
      state: "queued",
      detail: {},
    });
    const { pipeline, ...rest } = task;
    expect(await store.task(task.taskId)).toEqual({
      ...rest,
      pipelineType: "standard",
      state: "queued",
      eventNumber: 1,
      lastAttempt: 0,
      faults: 0,
      losses: 0,
      failedNodeIds: [],
      handedBack: false,
      notBeforeMs: 0,
      startedAtMs: null,
      settledAtMs: null,
      artifacts: [],
      error: null,
    });
    expect(await store.pipelineOf(task.taskId)).toEqual(pipeline);
    expect(await store.task("019aaaaa-0000-7000-8000-ffffffffffff")).toBeNull();
    expect(await store.pipelineOf("019aaaaa-0000-7000-8000-ffffffffffff")).toBeNull();
  });

  test("a task goes through an attempt to its end, and its log has a number for each step", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const { taskId, ...task } = newTask();
    const open = opened(taskId, { atMs: 100 });
    await store.commit([inserted({ taskId, ...task }, { claimed: true }), open]);
    expect(await store.task(taskId)).toMatchObject({ state: "running", lastAttempt: 1, startedAtMs: 100 });
    expect(await store.attempt(open.attemptId)).toMatchObject({ state: "assigned", open: true, closedAtMs: null });
    const picture = artifact("attempts/a/0");
    await store.commit([changed(open.attemptId, { atMs: 200 }), settled(taskId, { artifacts: [picture], atMs: 200 })]);
    expect(await store.task(taskId)).toMatchObject({ state: "succeeded", settledAtMs: 200, artifacts: [picture] });
    expect(await store.attemptsOf(taskId)).toEqual([
      {
        attemptId: open.attemptId,
        taskId,
        attempt: 1,
        nodeId: "node-1",
        legacy: false,
        cost: 2,
        limitMs: 150_000,
        state: "succeeded",
        open: false,
        openedAtMs: 100,
        closedAtMs: 200,
        gpuMs: 700,
        abortReason: null,
        error: null,
      },
    ]);
    const events = await store.eventsOf(taskId, 0, 10);
    expect(events.map(({ number, state, detail }) => [number, state, detail])).toEqual([
      [1, "queued", {}],
      [2, "running", { attempt: 1, nodeId: "node-1" }],
      [3, "succeeded", { attempt: 1, artifacts: 1 }],
    ]);
    expect(await store.eventsOf(taskId, 2, 10)).toEqual(events.slice(2));
    expect(await store.eventsOfUser("alice", 1, 1)).toEqual(events.slice(1, 2));
    expect(await store.lastPosition()).toBe(3);
    expect(await store.usageOf("alice")).toEqual({
      tasks: { queued: 0, running: 0, succeeded: 1, failed: 0, canceled: 0 },
      gpuMs: 700,
      cost: 2,
    });
  });

  test("a settled task never changes, and the changes beside a refused one are applied", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [done, other] = [newTask(), newTask()];
    const open = opened(done.taskId);
    await store.commit([inserted(done), open, settled(done.taskId, { state: "canceled", attempt: null })]);
    const before = await store.task(done.taskId);
    const outcomes = await store.commit([
      settled(done.taskId),
      opened(done.taskId, { attempt: 2 }),
      requeued(done.taskId),
      { type: "taskResumed", taskId: done.taskId, attempt: 1, atMs: 5 },
      inserted(other),
      inserted(other),
      changed(open.attemptId, { state: "aborted", abortReason: "canceled" }),
      changed(open.attemptId),
    ]);
    expect(outcomes.map((outcome) => outcome.type)).toEqual([
      "conflict",
      "conflict",
      "conflict",
      "conflict",
      "applied",
      "conflict",
      "applied",
      "conflict",
    ]);
    expect(await store.task(done.taskId)).toEqual(before);
    expect(await store.attempt(open.attemptId)).toMatchObject({ state: "aborted", abortReason: "canceled" });
    expect(await store.task(other.taskId)).toMatchObject({ state: "queued" });
  });

  test("an attempt's id and number are used once", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [first, second] = [newTask(), newTask()];
    const open = opened(first.taskId);
    await store.commit([inserted(first), inserted(second), open]);
    const outcomes = await store.commit([
      opened(second.taskId, { attemptId: open.attemptId }),
      opened(first.taskId, { attempt: 1 }),
      open,
      changed(open.attemptId),
      open,
    ]);
    expect(outcomes.map((outcome) => outcome.type)).toEqual(["conflict", "conflict", "applied", "applied", "conflict"]);
    expect(outcomes[2]).toEqual({ type: "applied", event: null });
    expect(await store.task(second.taskId)).toMatchObject({ state: "queued", lastAttempt: 0 });
    expect(await store.eventsOf(first.taskId, 0, 10)).toHaveLength(2);
  });

  test("an attempt of a deleted task is gone with it, and no word about it reaches the attempts of another", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [gone, next] = [newTask(), newTask()];
    const [left, held] = [opened(gone.taskId), opened(next.taskId)];
    await store.commit([inserted(gone, { claimed: true }), left, settled(gone.taskId, { attempt: null })]);
    await store.commit([{ type: "taskDeleted", taskId: gone.taskId }]);
    // A store may give it the number that the deleted one had.
    await store.commit([inserted(next, { claimed: true }), held]);
    expect(await store.commit([changed(left.attemptId)])).toMatchObject([{ type: "conflict" }]);
    expect(await store.attempt(held.attemptId)).toMatchObject({ open: true, state: "assigned" });
  });

  test("positions grow by one in the order of commits, over tasks and transactions", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const tasks = Array.from({ length: 50 }, () => newTask());
    const outcomes = await Promise.all(tasks.map((task) => store.commit([inserted(task), opened(task.taskId)])));
    const positions = outcomes.flat().map((outcome) => eventOf(outcome).position);
    expect(positions).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect(await store.lastPosition()).toBe(100);
  });

  test("a key stays with its task where another submission under it is refused for its id", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [first, other] = [newTask(), newTask()];
    await store.commit([inserted(first, { idempotency: { key: "k", bodyHash: "h" } }), inserted(other)]);
    const [refused] = await store.commit([inserted(other, { idempotency: { key: "l", bodyHash: "h" } })]);
    expect(refused).toEqual({ type: "conflict", taskId: other.taskId });
    const [repeated] = await store.commit([inserted(other, { idempotency: { key: "k", bodyHash: "h" } })]);
    expect(repeated).toEqual({ type: "conflict", taskId: first.taskId });
    expect(await store.idempotency("alice", "k")).toEqual({ taskId: first.taskId, bodyHash: "h" });
    expect(await store.idempotency("alice", "l")).toBeNull();
    await store.commit([settled(first.taskId, { state: "canceled", attempt: null })]);
    await store.commit([{ type: "taskDeleted", taskId: first.taskId }]);
    await store.commit([inserted(other, { idempotency: { key: "k", bodyHash: "h" } })]);
    await store.commit([inserted(first)]);
    expect(await store.idempotency("alice", "k")).toEqual({ taskId: first.taskId, bodyHash: "h" });
  });

  test("an idempotency key names its task to its own user alone", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const idempotency = { key: "k", bodyHash: "h" };
    const [task, twin, bobs] = [newTask(), newTask(), newTask({ userId: "bob" })];
    const outcomes = await store.commit([
      inserted(task, { idempotency }),
      inserted(twin, { idempotency: { key: "k", bodyHash: "other" } }),
      inserted(bobs, { idempotency }),
    ]);
    expect(outcomes.map((outcome) => outcome.type)).toEqual(["applied", "conflict", "applied"]);
    expect(outcomes[1]).toEqual({ type: "conflict", taskId: task.taskId });
    expect(await store.idempotency("alice", "k")).toEqual({ taskId: task.taskId, bodyHash: "h" });
    expect(await store.idempotency("bob", "k")).toEqual({ taskId: bobs.taskId, bodyHash: "h" });
    expect(await store.idempotency("carol", "k")).toBeNull();
    expect(await store.task(twin.taskId)).toBeNull();
  });

  test("a key whose task was deleted is free again", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const idempotency = { key: "k", bodyHash: "h" };
    const [first, second, third] = [newTask(), newTask(), newTask()];
    await store.commit([inserted(first, { idempotency })]);
    const outcomes = await store.commit([
      settled(first.taskId, { state: "canceled", attempt: null }),
      { type: "taskDeleted", taskId: first.taskId },
      inserted(second, { idempotency: { key: "k", bodyHash: "other" } }),
      inserted(third, { idempotency }),
    ]);
    expect(outcomes.map((outcome) => outcome.type)).toEqual(["applied", "applied", "applied", "conflict"]);
    expect(outcomes[3]).toEqual({ type: "conflict", taskId: second.taskId });
    expect(await store.idempotency("alice", "k")).toEqual({ taskId: second.taskId, bodyHash: "other" });
    expect(await store.queuedOf("alice")).toBe(1);
  });

  test("a submission that was given up is taken back without a trace, with the attempt that went along", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const idempotency = { key: "k", bodyHash: "h" };
    const [waiting, held, sent, next] = [newTask(), newTask(), newTask(), newTask()];
    const attempt = opened(sent.taskId);
    await store.commit([
      inserted(waiting, { idempotency }),
      inserted(held, { claimed: true }),
      inserted(sent, { claimed: true }),
      attempt,
    ]);
    const outcomes = await store.commit([
      ...[waiting, held, sent].map(({ taskId }) => ({ type: "submissionTakenBack", taskId }) as const),
      { type: "submissionTakenBack", taskId: waiting.taskId },
      changed(attempt.attemptId, { state: "aborted" }),
      inserted(next, { idempotency }),
    ]);
    const applied = { type: "applied", event: null };
    const conflict = { type: "conflict", taskId: null };
    expect(outcomes.slice(0, 5)).toEqual([applied, applied, applied, conflict, conflict]);
    expect(outcomes[5]).toMatchObject({ type: "applied", event: { taskId: next.taskId, position: 5 } });
    for (const { taskId } of [waiting, held, sent]) {
      expect([await store.task(taskId), await store.eventsOf(taskId, 0, 10)]).toEqual([null, []]);
    }
    expect(await store.idempotency("alice", "k")).toMatchObject({ taskId: next.taskId });
    expect((await store.usageOf("alice")).tasks).toMatchObject({ queued: 1, running: 0, canceled: 0 });
    expect(await backlogOf(store)).toEqual({ sdxl: 1 });
  });

  test("what somebody was told of, and what has settled, is not taken back", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [told, done, never] = [newTask(), newTask(), newTask()];
    await store.commit([inserted(told), inserted(done, { claimed: true }), opened(done.taskId), settled(done.taskId)]);
    expect(await store.tell(told.taskId)).toBe(true);
    expect(await store.tell(told.taskId)).toBe(true);
    expect(await store.tell(never.taskId)).toBe(false);
    const outcomes = await store.commit(
      [told, done, never].map(({ taskId }) => ({ type: "submissionTakenBack", taskId })),
    );
    expect(outcomes.map(({ type }) => type)).toEqual(["conflict", "conflict", "conflict"]);
    expect(await store.task(told.taskId)).toMatchObject({ state: "queued" });
    expect(await store.task(done.taskId)).toMatchObject({ state: "succeeded" });
    expect(await backlogOf(store)).toEqual({ sdxl: 1 });
  });

  test("a task is held from its claim or its first attempt until its end, with the attempts that are open", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const { taskId, ...task } = newTask();
    const [first, second] = [opened(taskId), opened(taskId, { attempt: 2 })];
    await store.commit([inserted({ taskId, ...task })]);
    expect(await store.held(taskId)).toBeNull();
    await store.claim({ classKeys: ["sdxl"], limit: 1, costMin: 0 });
    expect(await store.held(taskId)).toEqual({ task: await store.task(taskId), classKey: "sdxl", open: [] });
    await store.commit([first, changed(first.attemptId, { state: "failed" }), second]);
    expect((await store.held(taskId))?.open).toEqual([await store.attempt(second.attemptId)]);
    await store.commit([settled(taskId)]);
    expect(await store.held(taskId)).toBeNull();
  });

  test("a hundred submissions at once under one key make one task", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, () =>
        store.commit([inserted(newTask(), { idempotency: { key: "k", bodyHash: "h" } })]),
      ),
    );
    const ids = outcomes.flat().map((outcome) => (outcome.type === "applied" ? outcome.event?.taskId : outcome.taskId));
    expect(new Set(ids).size).toBe(1);
    expect(outcomes.flat().filter((outcome) => outcome.type === "applied")).toHaveLength(1);
    expect(await store.queuedOf("alice")).toBe(1);
  });

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

  test("a start finds the tasks with open attempts, and whatever else was held waits again", async () => {
    await using bundle = await setup();
    const [running, held, waiting, lost, done] = [newTask(), newTask(), newTask(), newTask(), newTask()];
    const attempts = [opened(running.taskId), opened(lost.taskId, { nodeId: "node-2" }), opened(done.taskId)] as const;
    await bundle.store.commit([
      ...[running, held, lost, done].map((task) => inserted(task, { claimed: true })),
      inserted(waiting),
      ...attempts,
      changed(attempts[1].attemptId, { state: "lost", open: true, gpuMs: 0 }),
      requeued(lost.taskId),
      changed(attempts[2].attemptId),
      settled(done.taskId),
    ]);
    const store = await bundle.reopen();
    const recovered = [];
    for await (const batch of store.recover()) recovered.push(...batch);
    expect(recovered.map(({ task, open }) => [task.taskId, task.state, open.map(({ state }) => state)])).toEqual([
      [running.taskId, "running", ["assigned"]],
      [lost.taskId, "queued", ["lost"]],
    ]);
    expect(await backlogOf(store)).toEqual({ sdxl: 2 });
    const claimed = await store.claim({ classKeys: ["sdxl"], limit: 10, costMin: 0 });
    expect(claimed.map(({ task }) => task.taskId)).toEqual([held.taskId, waiting.taskId]);
    expect(await store.lastPosition()).toBe(10);
    expect(await store.task(done.taskId)).toMatchObject({ state: "succeeded" });
  });

  test("lists are newest first, in pages, filtered, and of one user", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const now = Date.now();
    const tasks = Array.from({ length: 25 }, (_, index) =>
      newTask({ createdAtMs: now + index, metadata: index % 2 ? '{"batch":"odd","n":1}' : null }),
    );
    await store.commit([...tasks, newTask({ userId: "bob" })].map((task) => inserted(task)));
    const newest = tasks.map((task) => task.taskId).reverse();
    const first = await store.tasksOf("alice", {}, 10, null);
    const second = await store.tasksOf("alice", {}, 10, first.next);
    const third = await store.tasksOf("alice", {}, 10, second.next);
    expect([first, second, third].flatMap((page) => page.tasks.map((task) => task.taskId))).toEqual(newest);
    expect(third.next).toBeNull();
    await store.commit([settled(newest[0] as string, { state: "failed", attempt: null })]);
    const idsOf = async (filter: Parameters<TaskStore["tasksOf"]>[1]) =>
      (await store.tasksOf("alice", filter, 100, null)).tasks.map((task) => task.taskId);
    expect(await idsOf({ states: ["failed"] })).toEqual(newest.slice(0, 1));
    expect(await idsOf({ states: ["canceled", "running"] })).toEqual([]);
    expect(await idsOf({ states: ["failed"], model: "flux" })).toEqual([]);
    const both = { states: ["queued", "failed", "queued"] } as const;
    const half = await store.tasksOf("alice", both, 13, null);
    const rest = await store.tasksOf("alice", both, 12, half.next);
    expect([half, rest].flatMap((page) => page.tasks.map((task) => task.taskId))).toEqual(newest);
    expect(rest.next).toBeNull();
    expect(await idsOf({ model: "SDXL.safetensors" })).toEqual(newest);
    expect(await idsOf({ model: "flux" })).toEqual([]);
    expect(await idsOf({ metadata: { key: "batch", value: "odd" } })).toHaveLength(12);
    expect(await idsOf({ createdAfterMs: now + 9, createdBeforeMs: now + 12 })).toHaveLength(2);
    expect(await store.tasksOf("nobody", {}, 10, null)).toEqual({ tasks: [], next: null });
  });

  test("a webhook is due once its task has ended, leased to one at a time, and tried until it is done", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const task = newTask({ webhook: "https://example.com/hook", metadata: '{"n":1}' });
    await store.commit([inserted(task), inserted(newTask()), opened(task.taskId)]);
    expect(await store.outboxDue(10, 1_000)).toEqual([]);
    await store.commit([settled(task.taskId, { artifacts: [artifact("attempts/a/0")] })]);
    const [entry] = await store.outboxDue(10, 60_000);
    expect(entry).toMatchObject({ taskId: task.taskId, userId: "alice", url: "https://example.com/hook", tries: 0 });
    expect(JSON.parse(entry?.body ?? "")).toMatchObject({
      type: "task.succeeded",
      data: {
        taskId: task.taskId,
        state: "succeeded",
        metadata: { n: 1 },
        artifacts: [{ index: 0, mime: "image/png" }],
      },
    });
    expect(await store.outboxDue(10, 60_000)).toEqual([]);
    const tried = { atMs: 1, durationMs: 2, httpStatus: 503, note: "503" };
    await store.outboxTried(entry?.outboxId ?? "", { ...tried, state: "waiting", retryInMs: -1 });
    expect(await store.outboxDue(10, 60_000)).toEqual([{ ...entry, tries: 1 }]);
    await store.outboxTried(entry?.outboxId ?? "", { ...tried, state: "delivered", retryInMs: 0 });
    expect(await store.outboxDue(10, 60_000)).toEqual([]);
  });

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

  test("a settled task can be deleted, an unsettled one not", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [done, running] = [newTask(), newTask()];
    await store.commit([inserted(done), inserted(running), opened(running.taskId), settled(done.taskId)]);
    const outcomes = await store.commit([
      { type: "taskDeleted", taskId: done.taskId },
      { type: "taskDeleted", taskId: running.taskId },
    ]);
    expect(outcomes.map((outcome) => outcome.type)).toEqual(["applied", "conflict"]);
    expect(await store.task(done.taskId)).toBeNull();
    expect(await store.eventsOf(done.taskId, 0, 10)).toEqual([]);
    expect(await store.lastPosition()).toBe(4);
  });

  test("documents are kept by name, over a restart", async () => {
    await using bundle = await setup();
    expect(await bundle.store.readDocument("estimates")).toBeNull();
    await bundle.store.writeDocument("estimates", "one");
    await bundle.store.writeDocument("estimates", "two");
    const store = await bundle.reopen();
    expect(await store.readDocument("estimates")).toBe("two");
    await expect(store.ping()).resolves.toBeUndefined();
  });

  test("text of every kind comes back as it went in", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const prompt = 'quotes " and \\ , emoji 🖼️, a lone \\u0000 in words, \u2028, ünï, 中文';
    const task = newTask({ userId: "üser 🙂", pipeline: { type: "standard", prompt, model: "" } });
    await store.commit([inserted(task, { classKey: "clé 🗝" })]);
    expect(await store.pipelineOf(task.taskId)).toEqual(task.pipeline);
    expect(await store.claim({ classKeys: ["clé 🗝"], limit: 1, costMin: 0 })).toMatchObject([
      { classKey: "clé 🗝", task: { userId: "üser 🙂" } },
    ]);
  });

  test("a class that names as many long models as a task may is one like any other", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const classKey = JSON.stringify(Array.from({ length: 128 }, () => randomBytes(256).toString("hex")));
    const [task, again, other] = [newTask(), newTask(), newTask()];
    await store.commit([inserted(task, { classKey })]);
    await store.commit([inserted(again, { classKey }), inserted(other, { classKey: `${classKey}!` })]);
    expect(await backlogOf(store)).toEqual({ [classKey]: 2, [`${classKey}!`]: 1 });
    const claimed = await store.claim({ classKeys: [classKey], limit: 9, costMin: 0 });
    expect(claimed.map((each) => each.task.taskId)).toEqual([task.taskId, again.taskId]);
  });
}

export async function backlogOf(store: TaskStore): Promise<Record<string, number>> {
  const backlog = await store.backlog();
  return Object.fromEntries(
    backlog.filter((entry) => entry.unclaimed > 0).map((entry) => [entry.classKey, entry.unclaimed]),
  );
}

function eventOf(outcome: ChangeOutcome | undefined): TaskEvent {
  if (outcome?.type !== "applied" || outcome.event === null)
    throw new Error(`Not an event: ${JSON.stringify(outcome)}`);
  return outcome.event;
}
