import { expect, test } from "@jest/globals";
import type { TaskNews } from "../../src/coordinator/task-service.ts";
import { StoreUnavailable, type TaskStore } from "../../src/tasks/task-store.ts";
import { withMethods } from "../support/with-methods.ts";
import { legacyNode, modernNode, newTask, picture, setup } from "./setup.ts";

test("a task waits for a node, goes to it after it is stored, and its result is stored before its end is told", async () => {
  await using bundle = await setup();
  const { coordinator, sessions } = bundle;
  const task = newTask();
  const news: TaskNews[] = [];
  coordinator.subscribe(`task:${task.taskId}`, (each) => news.push(each));
  expect(await coordinator.submit(task, null)).toMatchObject({ type: "stored", task: { state: "queued" } });
  expect(sessions.deliveries()).toEqual([]);

  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  const delivery = await sessions.until(() => sessions.deliveries("n1")[0]);
  expect(delivery).toMatchObject({ pipeline: { prompt: "a fox" }, limitMs: 150_000 });
  expect(delivery.attemptId).not.toBe(task.taskId);
  expect(await bundle.store.attempt(delivery.attemptId)).toMatchObject({ nodeId: "n1", open: true, attempt: 1 });

  coordinator.nodes.attemptAccepted("n1", delivery.attemptId);
  coordinator.nodes.attemptProgressed("n1", delivery.attemptId, 0.5, "sampling");
  coordinator.nodes.attemptProgressed("n1", delivery.attemptId, 0.2, "sampling");
  const ended = coordinator.awaitEnd(task.taskId, 10_000).ended;
  coordinator.nodes.attemptCompleted("n1", delivery.attemptId, [picture()], { gpuMs: 1_200 });
  expect(await ended).toMatchObject({ state: "succeeded", artifacts: [{ url: "https://example.com/fox.png" }] });
  expect(await bundle.store.task(task.taskId)).toMatchObject({ state: "succeeded" });
  expect(sessions.said.at(-1)).toEqual({
    type: "acknowledge",
    nodeId: "n1",
    attemptId: delivery.attemptId,
    why: "accepted",
  });
  expect(news.map((each) => (each.type === "event" ? `${each.event.number} ${each.event.state}` : each.type))).toEqual([
    "1 queued",
    "2 running",
    "progress",
    "progress",
    "3 succeeded",
  ]);
  expect(news.flatMap((each) => (each.type === "progress" ? [each.value] : []))).toEqual([0.5, 0.5]);
});

test("a node that says to have worked for longer than it was given charges no more than that", async () => {
  await using bundle = await setup();
  const { coordinator, sessions, store } = bundle;
  const task = newTask();
  await coordinator.submit(task, null);
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  const { attemptId, limitMs } = await sessions.until(() => sessions.deliveries("n1")[0]);
  const { ended } = coordinator.awaitEnd(task.taskId, 10_000);
  coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], { gpuMs: 1e300 });
  await ended;
  expect(await store.usageOf(task.userId)).toMatchObject({ gpuMs: limitMs });
});

test("the first attempt of a legacy node carries the task's own id, a later one a fresh id", async () => {
  await using bundle = await setup();
  const { coordinator, sessions } = bundle;
  const task = newTask();
  await coordinator.submit(task, null);
  await coordinator.nodes.nodeJoined(legacyNode("old"), []);
  expect((await sessions.until(() => sessions.deliveries("old")[0])).attemptId).toBe(task.taskId);
  coordinator.nodes.nodeLost("old", "left");
  await coordinator.nodes.nodeJoined(legacyNode("old"), []);
  const second = await sessions.until(() => sessions.deliveries("old")[1]);
  expect(second.attemptId).not.toBe(task.taskId);

  // What the first connection sends now is of a closed attempt.
  coordinator.nodes.attemptCompleted("old", task.taskId, [picture("https://example.com/late.png")], {});
  coordinator.nodes.attemptCompleted("old", second.attemptId, [picture("https://example.com/good.png")], {});
  expect(await coordinator.awaitEnd(task.taskId, 10_000).ended).toMatchObject({
    state: "succeeded",
    artifacts: [{ url: "https://example.com/good.png" }],
  });
});

test("a result of a node that was not given the attempt changes nothing, and a repeated one is a duplicate", async () => {
  await using bundle = await setup();
  const { coordinator, sessions } = bundle;
  const task = newTask();
  await coordinator.submit(task, null);
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[0]);
  await coordinator.nodes.nodeJoined(modernNode("thief"), []);
  coordinator.nodes.attemptCompleted("thief", attemptId, [picture("https://example.com/stolen.png")], {});
  const stale = await sessions.until(() => sessions.said.find((each) => each.nodeId === "thief"));
  expect(stale).toMatchObject({ type: "acknowledge", why: "stale" });
  expect(await bundle.store.task(task.taskId)).toMatchObject({ state: "running" });

  for (let i = 0; i < 3; i++) coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {});
  const verdicts = () =>
    sessions.said.flatMap((each) => (each.type === "acknowledge" && each.nodeId === "n1" ? [each.why] : []));
  await sessions.until(() => verdicts().length === 3);
  expect(verdicts()).toEqual(["accepted", "duplicate", "duplicate"]);
});

test("a task's own fault is final, a node's is tried again", async () => {
  await using bundle = await setup();
  const { coordinator, sessions } = bundle;
  const task = newTask();
  await coordinator.submit(task, null);
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[0]);
  const ended = coordinator.awaitEnd(task.taskId, 10_000).ended;
  coordinator.nodes.attemptFailed("n1", attemptId, { code: "task_invalid", message: "no such sampler" }, "task");
  expect(await ended).toMatchObject({ state: "failed", error: { code: "task_failed", message: "no such sampler" } });
});

test("canceling tells the node and ends the task at once; it can be done twice", async () => {
  await using bundle = await setup();
  const { coordinator, sessions } = bundle;
  const task = newTask();
  await coordinator.submit(task, null);
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[0]);
  expect(await coordinator.cancel(task.taskId)).toMatchObject({ type: "canceled" });
  expect(await sessions.until(() => sessions.said.find((each) => each.type === "abort"))).toMatchObject({
    nodeId: "n1",
    attemptId,
    why: "canceled",
  });
  expect(await coordinator.cancel(task.taskId)).toMatchObject({ type: "canceled" });
  coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {});
  await sessions.until(() => sessions.said.find((each) => each.type === "acknowledge" && each.why === "canceled"));
  expect(await bundle.store.task(task.taskId)).toMatchObject({ state: "canceled", artifacts: [] });
  expect(await coordinator.cancel("00000000-0000-7000-8000-000000000000")).toEqual({ type: "unknown" });
});

test("check 10: 100 parallel submissions under one key are one task, and another body under the key is told apart", async () => {
  await using bundle = await setup();
  const { coordinator } = bundle;
  const submit = (bodyHash: string) => coordinator.submit(newTask(), { key: "k", bodyHash });
  const outcomes = await Promise.all(Array.from({ length: 100 }, () => submit("a")));
  const ids = new Set(outcomes.map((each) => ("task" in each ? each.task.taskId : each.type)));
  expect(ids.size).toBe(1);
  expect(outcomes.filter((each) => each.type === "stored")).toHaveLength(1);
  expect(outcomes.filter((each) => each.type === "repeated")).toHaveLength(99);
  expect(await submit("b")).toEqual({ type: "key_reused" });
  await bundle.restart();
  expect(await bundle.coordinator.submit(newTask(), { key: "k", bodyHash: "a" })).toMatchObject({ type: "repeated" });
});

test("what waits and what runs is found again after a restart, and a node that kept its attempt goes on", async () => {
  await using bundle = await setup();
  const { sessions } = bundle;
  await bundle.coordinator.nodes.nodeJoined(modernNode("n1"), []);
  await bundle.coordinator.nodes.nodeJoined(legacyNode("old"), []);
  const tasks = Array.from({ length: 12 }, () => newTask());
  for (const task of tasks) await bundle.coordinator.submit(task, null);
  const held = await sessions.until(() => sessions.deliveries("n1")[0]);
  await sessions.until(() => sessions.deliveries("old")[0]);
  await bundle.restart();

  const { coordinator } = bundle;
  const joined = await coordinator.nodes.nodeJoined(modernNode("n1"), [
    { attemptId: held.attemptId, state: "running" },
  ]);
  expect(joined).toEqual({ type: "joined", keep: [held.attemptId], stop: [] });
  const before = sessions.deliveries("n1").length;
  coordinator.nodes.attemptCompleted("n1", held.attemptId, [picture()], {});
  for (let done = 1; done < tasks.length; done++) {
    const next = await sessions.until(() => sessions.deliveries("n1")[before + done - 1]);
    coordinator.nodes.attemptCompleted("n1", next.attemptId, [picture()], {});
  }
  for (const task of tasks) {
    expect(await coordinator.awaitEnd(task.taskId, 10_000).ended).toMatchObject({ state: "succeeded" });
  }
});

test("what was learned of how long work takes is known after a restart, and nonsense in its place is learned anew", async () => {
  await using bundle = await setup();
  const { sessions } = bundle;
  await bundle.coordinator.nodes.nodeJoined(modernNode("n1", { gpuType: "rtx 4090" }), []);
  const task = newTask();
  await bundle.coordinator.submit(task, null);
  const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[0]);
  bundle.coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], { gpuMs: 1_200 });
  await bundle.coordinator.awaitEnd(task.taskId, 10_000).ended;
  const learned = bundle.coordinator.dispatcher.exportEstimates();
  expect(learned.runs).toMatchObject([{ gpuType: "rtx 4090", engine: "test", count: 1 }]);
  await bundle.restart();
  expect(bundle.coordinator.dispatcher.exportEstimates()).toEqual(learned);

  await bundle.coordinator.close();
  await bundle.store.writeDocument("estimates", '{"version":1,"runs":"none"}');
  await bundle.restart();
  expect(bundle.coordinator.dispatcher.exportEstimates()).toEqual({ version: 1, runs: [], loads: [] });
});

test("while the server stops nobody is given anything, and what a legacy node had costs its task no loss", async () => {
  await using bundle = await setup();
  const { sessions } = bundle;
  const task = newTask();
  await bundle.coordinator.nodes.nodeJoined(legacyNode("old-1"), []);
  await bundle.coordinator.submit(task, null);
  await sessions.until(() => sessions.deliveries("old-1")[0]);
  await bundle.coordinator.nodes.nodeJoined(legacyNode("old-2"), []);
  await bundle.coordinator.nodes.nodeJoined(modernNode("n1"), []);
  bundle.coordinator.stopGiving();
  // Their connections end one after the other.
  bundle.coordinator.nodes.nodeLost("old-1", "left");
  await bundle.coordinator.nodes.nodeJoined(modernNode("n2"), []);
  expect(await bundle.coordinator.submit(newTask(), null)).toMatchObject({ type: "stored" });
  bundle.coordinator.nodes.nodeLost("old-2", "left");
  await bundle.restart();
  expect(sessions.deliveries()).toHaveLength(1);
  await bundle.coordinator.nodes.nodeJoined(legacyNode("old-1", { slots: 2 }), []);
  await sessions.until(() => sessions.deliveries("old-1").length === 3);
  expect(await bundle.store.task(task.taskId)).toMatchObject({ lastAttempt: 2, losses: 0, faults: 0 });
});

test("a task whose backoff outlives the server is tried again when it is over", async () => {
  await using bundle = await setup();
  const { sessions } = bundle;
  await bundle.coordinator.nodes.nodeJoined(modernNode("n1", { slots: 4 }), []);
  const tasks = Array.from({ length: 4 }, () => newTask());
  for (const task of tasks) await bundle.coordinator.submit(task, null);
  await sessions.until(() => sessions.deliveries("n1").length === tasks.length);
  for (const { attemptId } of sessions.deliveries("n1")) {
    bundle.coordinator.nodes.attemptFailed("n1", attemptId, { code: "out_of_memory", message: "no room" }, "node");
  }
  await bundle.restart();
  await bundle.coordinator.nodes.nodeJoined(modernNode("n2", { slots: 4 }), []);
  await sessions.until(() => sessions.deliveries("n2").length === tasks.length);
});

test("check 20: a loop that stood still for a minute takes no work from a node, and accepts what it made", async () => {
  let stoodStillMs = 0;
  const clock = { monotonicMs: () => performance.now() + stoodStillMs, wallMs: () => Date.now() };
  await using bundle = await setup({ clock });
  const { coordinator, sessions } = bundle;
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  const task = newTask();
  await coordinator.submit(task, null);
  const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[0]);
  await coordinator.nodes.nodeJoined(modernNode("idle"), []);
  stoodStillMs = 60_000;
  coordinator.nodes.nodeHeard("idle");
  expect(coordinator.dispatcher.task(task.taskId)).toMatchObject({ state: "running" });
  coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {});
  expect(await coordinator.awaitEnd(task.taskId, 10_000).ended).toMatchObject({ state: "succeeded" });
  expect(sessions.deliveries("idle")).toEqual([]);
});

test("check 19: the wall clock may jump an hour either way, and no lease ends for it", async () => {
  let jumpMs = 0;
  const clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() + jumpMs };
  await using bundle = await setup({ clock });
  const { coordinator, sessions } = bundle;
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  for (const [round, jump] of [3_600_000, -3_600_000].entries()) {
    const task = newTask({ createdAtMs: clock.wallMs() });
    await coordinator.submit(task, null);
    const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[round]);
    jumpMs = jump;
    coordinator.nodes.nodeHeard("n1");
    expect(coordinator.dispatcher.task(task.taskId)).toMatchObject({ state: "running" });
    coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {});
    expect(await coordinator.awaitEnd(task.taskId, 10_000).ended).toMatchObject({ state: "succeeded" });
  }
  expect(sessions.deliveries("n1")).toHaveLength(2);
});

test("held attempts that nobody knows are to be stopped, finished ones are brought back for their verdict", async () => {
  await using bundle = await setup();
  const [running, finished] = [bundle.newId(), bundle.newId()];
  const joined = await bundle.coordinator.nodes.nodeJoined(modernNode("n1"), [
    { attemptId: running, state: "running" },
    { attemptId: finished, state: "finished" },
  ]);
  expect(joined).toEqual({ type: "joined", keep: [finished], stop: [running] });
});

test("a node that the dispatcher refuses is told so, and counts for nothing", async () => {
  await using bundle = await setup();
  const { coordinator } = bundle;
  const refused = await coordinator.nodes.nodeJoined(modernNode("n1", { slots: 1_000 }), []);
  expect(refused).toMatchObject({ type: "refused", reason: expect.stringContaining("provider.slots is 1000") });
  coordinator.nodes.nodeChanged(modernNode("n1"));
  coordinator.nodes.nodeLost("n1", "broken");
  expect(coordinator.dispatcher.provider("n1")).toBeNull();
});

test("a node that is refused at its second join is given no more once it is sent away", async () => {
  await using bundle = await setup();
  const { coordinator } = bundle;
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  expect(await coordinator.nodes.nodeJoined(modernNode("n1", { slots: 1_000 }), [])).toMatchObject({ type: "refused" });
  coordinator.nodes.nodeLost("n1", "left");
  expect(coordinator.dispatcher.provider("n1")).toBeNull();
});

test("a backlog far beyond the window is worked off, and another user does not wait behind it", async () => {
  await using bundle = await setup();
  const { coordinator, sessions } = bundle;
  const many = Array.from({ length: 500 }, () => newTask());
  await Promise.all(many.map((task) => coordinator.submit(task, null)));
  const late = newTask({ userId: "bob" });
  await coordinator.submit(late, null);
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  let bobsPlace = -1;
  for (let done = 0; done < many.length + 1; done++) {
    const next = await sessions.until(() => sessions.deliveries("n1")[done]);
    if ((await bundle.store.attempt(next.attemptId))?.taskId === late.taskId) bobsPlace = done;
    coordinator.nodes.attemptCompleted("n1", next.attemptId, [picture()], { gpuMs: 1_000 });
  }
  expect(bobsPlace).toBeGreaterThanOrEqual(0);
  expect(bobsPlace).toBeLessThanOrEqual(3);
  const page = await bundle.store.tasksOf("alice", { states: ["queued", "running"] }, 10, null);
  await coordinator.awaitEnd((many.at(-1) ?? late).taskId, 10_000).ended;
  expect(page.tasks.length).toBeLessThanOrEqual(1);
});

test("tasks that the only node rejected a moment ago hide nobody's task that it would take", async () => {
  // The clock stands still: no reject is ever forgotten.
  const nowMs = performance.now();
  await using bundle = await setup({ clock: { monotonicMs: () => nowMs, wallMs: () => Date.now() } });
  const { coordinator, sessions } = bundle;
  const tasks = Array.from({ length: 150 }, () => newTask());
  await Promise.all(tasks.map((task) => coordinator.submit(task, null)));
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  // Twice as many as the window has room for.
  const rejected = 130;
  for (let done = 0; done < tasks.length; done++) {
    const next = await sessions.until(() => sessions.deliveries("n1")[done]);
    if (done < rejected) coordinator.nodes.attemptRejected("n1", next.attemptId, "no disk space");
    else coordinator.nodes.attemptCompleted("n1", next.attemptId, [picture()], {});
  }
  await coordinator.close();
});

test("a task outside of the window can be canceled and is never sent", async () => {
  await using bundle = await setup();
  const { coordinator, sessions } = bundle;
  const tasks = Array.from({ length: 200 }, () => newTask());
  await Promise.all(tasks.map((task) => coordinator.submit(task, null)));
  const last = tasks.at(-1);
  if (last === undefined) throw new Error("no task");
  expect(await coordinator.cancel(last.taskId)).toMatchObject({ type: "canceled" });
  await coordinator.nodes.nodeJoined(modernNode("n1"), []);
  for (let done = 0; done < tasks.length - 1; done++) {
    const next = await sessions.until(() => sessions.deliveries("n1")[done]);
    coordinator.nodes.attemptCompleted("n1", next.attemptId, [picture()], {});
  }
  await coordinator.close();
  expect(sessions.deliveries("n1")).toHaveLength(tasks.length - 1);
});

test("a user with a full queue is told when to come back", async () => {
  await using bundle = await setup({ queuedMax: 2 });
  const { coordinator } = bundle;
  await coordinator.submit(newTask(), null);
  await coordinator.submit(newTask(), null);
  const refused = await coordinator.submit(newTask(), null);
  expect(refused).toMatchObject({ type: "queue_full", message: "You have 2 waiting tasks; at most 2 are allowed." });
  expect(await coordinator.submit(newTask({ userId: "bob" }), null)).toMatchObject({ type: "stored" });
});

test("a user's limits that change hold for what the user submits next, and at once for what waits", async () => {
  let runningMax: number | null = null;
  const userLimits = () => ({ weight: 1, userClass: 0, queuedMax: 10_000, runningMax });
  await using bundle = await setup({ userLimits });
  const { coordinator, sessions } = bundle;
  const running = () => coordinator.dispatcher.users().find(({ userId }) => userId === "alice")?.running;
  await coordinator.nodes.nodeJoined(modernNode("n1", { slots: 8 }), []);
  await coordinator.submit(newTask(), null);
  runningMax = 2;
  for (let more = 0; more < 4; more++) await coordinator.submit(newTask(), null);
  expect(running()).toBe(2);
  runningMax = 4;
  coordinator.limitsChanged("alice");
  expect(running()).toBe(4);
  await sessions.until(() => sessions.deliveries("n1").length === 4);
  runningMax = null;
  coordinator.limitsChanged("alice");
  await sessions.until(() => sessions.deliveries("n1").length === 5);
});

test("a node that leaves is given no more, what it sends counts, and when it is back it is given work again", async () => {
  await using bundle = await setup();
  const { coordinator, sessions } = bundle;
  await coordinator.nodes.nodeJoined(legacyNode("n1"), []);
  const [first, second] = [newTask({ priority: 1 }), newTask()];
  for (const task of [first, second]) await coordinator.submit(task, null);
  const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[0]);
  coordinator.nodes.nodeLeaves("n1");
  coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {});
  expect(await coordinator.awaitEnd(first.taskId, 10_000).ended).toMatchObject({ state: "succeeded" });
  coordinator.nodes.nodeLost("n1", "left");
  expect(sessions.deliveries("n1")).toHaveLength(1);
  await coordinator.nodes.nodeJoined(legacyNode("n1"), []);
  await sessions.until(() => sessions.deliveries("n1")[1]);
  expect(await bundle.store.task(second.taskId)).toMatchObject({ losses: 0 });
});

test.each([
  ["a legacy node", legacyNode("n1"), null, null],
  ["a node", modernNode("n1"), "boot 1", "boot 2"],
])("%s that an administrator drained stays drained when it reconnects", async (_name, node, bootId, nextBootId) => {
  await using bundle = await setup();
  const { coordinator, sessions } = bundle;
  const draining = () => coordinator.dispatcher.provider("n1")?.draining;
  await coordinator.nodes.nodeJoined(node, [], bootId);
  coordinator.nodes.drain("n1");
  await coordinator.submit(newTask(), null);
  coordinator.nodes.nodeLost("n1", "broken");
  await coordinator.nodes.nodeJoined(node, [], bootId);
  expect([draining(), sessions.deliveries()]).toEqual([true, []]);
  if (nextBootId === null) coordinator.nodes.undrain("n1");
  else await coordinator.nodes.nodeJoined(node, [], nextBootId);
  await sessions.until(() => sessions.deliveries("n1")[0]);
  await coordinator.nodes.nodeJoined(node, [], bootId);
  expect(draining()).toBe(false);
});

test("a node that said it leaves is no drained one when it is back", async () => {
  await using bundle = await setup();
  const { coordinator } = bundle;
  await coordinator.nodes.nodeJoined(modernNode("n1"), [], "boot 1");
  coordinator.nodes.nodeLeaves("n1");
  coordinator.nodes.nodeLost("n1", "left");
  await coordinator.nodes.nodeJoined(modernNode("n1"), [], "boot 1");
  expect(coordinator.dispatcher.provider("n1")?.draining).toBe(false);
});

/** A store whose commits fail while `away` is set. */
function fragile() {
  const switchable = { away: null as "rolled_back" | "unknown" | null };
  const wrap = (real: TaskStore): TaskStore =>
    withMethods(real, {
      async commit(changes) {
        if (switchable.away === "unknown") await real.commit(changes);
        if (switchable.away !== null) throw new StoreUnavailable("the disk is full", switchable.away);
        return real.commit(changes);
      },
    });
  return { switchable, wrap };
}

test.each(["rolled_back", "unknown"] as const)(
  "while the store is away (%s) nothing is acknowledged, results wait, and all goes on when it is back",
  async (outcome) => {
    const { switchable, wrap } = fragile();
    await using bundle = await setup({ store: wrap });
    const { coordinator, sessions } = bundle;
    await coordinator.nodes.nodeJoined(modernNode("n1"), []);
    const running = newTask();
    await coordinator.submit(running, null);
    const { attemptId } = await sessions.until(() => sessions.deliveries("n1")[0]);

    switchable.away = outcome;
    const refused = newTask();
    const key = { key: "k", bodyHash: "h" };
    expect(await coordinator.submit(refused, key)).toEqual({ type: "unavailable", retryAfterMs: 2_000 });
    expect(coordinator.storeIsWritable).toBe(false);
    expect(await coordinator.submit(newTask(), null)).toMatchObject({ type: "unavailable" });
    coordinator.nodes.attemptCompleted("n1", attemptId, [picture()], {});
    expect(sessions.said.some((each) => each.type === "acknowledge")).toBe(false);

    switchable.away = null;
    expect(await coordinator.awaitEnd(running.taskId, 10_000).ended).toMatchObject({ state: "succeeded" });
    expect(coordinator.storeIsWritable).toBe(true);
    expect(await bundle.store.task(refused.taskId)).toBeNull();
    // The caller that was refused comes again with its key.
    const again = newTask();
    expect(await coordinator.submit(again, key)).toMatchObject({ type: "stored", task: { taskId: again.taskId } });
    expect(await coordinator.submit(newTask(), key)).toMatchObject({
      type: "repeated",
      task: { taskId: again.taskId },
    });
    expect(await coordinator.submit(newTask(), null)).toMatchObject({ type: "stored" });
    await sessions.until(() => sessions.deliveries("n1")[1]);
  },
);
