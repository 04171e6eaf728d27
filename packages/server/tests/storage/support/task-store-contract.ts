import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import type { ChangeOutcome, TaskEvent, TaskStore } from "../../../src/storage/index.ts";
import { artifact, changed, inserted, newTask, opened, requeued, settled } from "./builders.ts";
import { describeClaims } from "./claims-contract.ts";
import { describeRetention } from "./retention-contract.ts";
import { backlogOf, type StoreUnderTest } from "./store-under-test.ts";

/** What holds for every store. Run over each adapter and over the model in memory. */
export function describeTaskStore(setup: () => Promise<StoreUnderTest>): void {
  describeClaims(setup);
  describeRetention(setup);

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

function eventOf(outcome: ChangeOutcome | undefined): TaskEvent {
  if (outcome?.type !== "applied" || outcome.event === null)
    throw new Error(`Not an event: ${JSON.stringify(outcome)}`);
  return outcome.event;
}
