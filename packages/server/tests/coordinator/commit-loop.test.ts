import { setImmediate } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { CommitLoop } from "../../src/coordinator/commit-loop.ts";
import type { PendingChange } from "../../src/coordinator/pending-change.ts";
import { type ChangeOutcome, type StoreChange, StoreUnavailable } from "../../src/tasks/task-store.ts";
import { inserted, newTask, opened } from "../storage/support/builders.ts";

/** A store whose commits end when the test says so. */
class HeldStore {
  readonly commits: {
    readonly changes: readonly StoreChange[];
    readonly succeed: () => void;
    readonly fail: (outcome: "rolled_back" | "unknown") => void;
  }[] = [];

  commit(changes: readonly StoreChange[]): Promise<readonly ChangeOutcome[]> {
    return new Promise((resolve, reject) => {
      this.commits.push({
        changes,
        succeed: () => resolve(changes.map(() => ({ type: "applied", event: null }))),
        fail: (outcome) => reject(new StoreUnavailable("the disk is full", outcome)),
      });
    });
  }

  /** What a ping comes to. */
  writable = true;
  pings = 0;

  async ping(): Promise<void> {
    this.pings += 1;
    if (!this.writable) throw new StoreUnavailable("the disk is full", "rolled_back");
  }

  /** The task ids of each commit so far. */
  get taskIds(): readonly (readonly string[])[] {
    return this.commits.map(({ changes }) => changes.map(taskIdOf));
  }
}

function taskIdOf(change: StoreChange): string {
  return change.type === "taskInserted" ? change.task.taskId : "taskId" in change ? change.taskId : "";
}

function setup() {
  const store = new HeldStore();
  const clock = { nowMs: 0 };
  const told: string[] = [];
  const outages: boolean[] = [];
  const loop = new CommitLoop(store, {
    nowMs: () => clock.nowMs,
    onOutage: (away) => outages.push(away),
  });
  const opening = (taskId: string): PendingChange => ({
    change: opened(taskId),
    committed: () => told.push(taskId),
  });
  const submission = (taskId: string): PendingChange => ({
    change: inserted(newTask({ taskId })),
    committed: () => told.push(taskId),
    abandoned: () => told.push(`${taskId} abandoned`),
  });
  return { store, clock, told, outages, loop, opening, submission };
}

test("what comes up in one turn is one commit, the next turn does not wait for it, and all is told in order", async () => {
  const { store, told, loop, opening } = setup();
  loop.change(opening("a"));
  loop.change(opening("b"));
  await setImmediate();
  loop.change(opening("c"));
  loop.after(() => told.push("after c"));
  await setImmediate();
  expect(store.taskIds).toEqual([["a", "b"], ["c"]]);
  store.commits[1]?.succeed();
  await setImmediate();
  expect(told).toEqual([]);
  store.commits[0]?.succeed();
  await loop.settled();
  expect(told).toEqual(["a", "b", "c", "after c"]);
});

test("a turn that takes long sends what a slot waits for, and tears no decision in two", async () => {
  const { store, clock, loop, opening } = setup();
  loop.change(opening("a"));
  clock.nowMs += 2;
  loop.change(opening("b"));
  loop.change(opening("b"));
  await new Promise<void>((resolve) => process.nextTick(resolve));
  expect(store.taskIds).toEqual([["a", "b", "b"]]);
  loop.change(opening("c"));
  await setImmediate();
  expect(store.taskIds).toEqual([["a", "b", "b"], ["c"]]);
});

test("behind a slow disk turns grow instead of piling up", async () => {
  const { store, loop, opening } = setup();
  for (const taskId of ["a", "b", "c", "d"]) {
    loop.change(opening(taskId));
    await setImmediate();
  }
  expect(store.taskIds).toEqual([["a"], ["b"]]);
  store.commits[0]?.succeed();
  await setImmediate();
  expect(store.taskIds[2]).toEqual(["c", "d"]);
});

test("what failed is tried again in its order, with everything that was sent behind it, and without submissions", async () => {
  const { store, told, outages, loop, opening, submission } = setup();
  loop.change(opening("a"));
  loop.change(submission("b"));
  await setImmediate();
  loop.change(opening("b"));
  loop.change(opening("c"));
  await setImmediate();
  loop.change(opening("d"));
  store.commits[0]?.fail("rolled_back");
  await setImmediate();
  expect(loop.away).toBe(true);
  expect(store.commits).toHaveLength(2);
  store.commits[1]?.fail("rolled_back");
  await until(() => store.commits.length === 3);
  expect(store.taskIds[2]).toEqual(["a", "c", "d"]);
  store.commits[2]?.succeed();
  await loop.settled();
  expect(told).toEqual(["b abandoned", "a", "c", "d"]);
  expect(outages).toEqual([true, false]);
});

test("what waited while the store was away goes to it in bites, two at a time, and no decision is torn in two", async () => {
  const { store, told, loop, opening } = setup();
  loop.change(opening("first"));
  await setImmediate();
  store.commits[0]?.fail("rolled_back");
  // Each decision is three changes.
  const decisions = Array.from({ length: 800 }, (_, index) => [`${index}`, `${index}`, `${index}`]);
  for (const decision of decisions) {
    for (const taskId of decision) loop.change(opening(taskId));
    await setImmediate();
  }
  await until(() => store.commits.length === 3);
  for (let next = 1; next < store.commits.length; next++) {
    expect(store.commits[next]?.changes.length).toBeLessThan(1_010);
    store.commits[next]?.succeed();
    await setImmediate();
  }
  await loop.settled();
  expect(told).toEqual(["first", ...decisions.flat()]);
  const bites = store.taskIds.slice(2).map((taskIds) => taskIds.slice(0, 3));
  for (const bite of bites) expect(new Set(bite).size).toBe(1);
});

test("a submission of unknown outcome is taken back when the store is there again", async () => {
  const { store, told, loop, submission } = setup();
  loop.change(submission("a"));
  await setImmediate();
  store.commits[0]?.fail("unknown");
  await until(() => store.commits.length === 2);
  expect(store.commits[1]?.changes.map(({ type }) => type)).toEqual(["submissionTakenBack"]);
  expect([told, loop.takesBack("a")]).toEqual([["a abandoned"], true]);
  store.commits[1]?.succeed();
  await loop.settled();
  expect(loop.takesBack("a")).toBe(false);
});

test("a submission that was given up under way is taken out again once it is stored, and its caller is told once", async () => {
  const { store, told, loop, opening, submission } = setup();
  const [given, kept] = [submission("a"), submission("b")];
  loop.change(given);
  loop.change(kept);
  await setImmediate();
  loop.giveUp(given);
  loop.giveUp(given);
  loop.change(opening("c"));
  expect(told).toEqual(["a abandoned"]);
  store.commits[0]?.succeed();
  await until(() => store.commits.length === 3);
  expect(store.commits[2]?.changes).toEqual([{ type: "submissionTakenBack", taskId: "a" }]);
  expect(loop.takesBack("a")).toBe(true);
  store.commits[1]?.succeed();
  store.commits[2]?.succeed();
  await loop.settled();
  loop.giveUp(kept);
  expect(told).toEqual(["a abandoned", "b", "c"]);
  expect(loop.takesBack("a")).toBe(false);
});

test("a submission that was given up before it was sent never is, and nothing of its task", async () => {
  const { store, told, loop, opening, submission } = setup();
  const given = submission("a");
  loop.change(given);
  loop.change(opening("a"));
  loop.change(opening("b"));
  loop.giveUp(given);
  await setImmediate();
  expect(store.taskIds).toEqual([["b"]]);
  expect(told).toEqual(["a abandoned"]);
});

test("a store that does not answer is away until it does, and what it stored is told then", async () => {
  const { store, clock, told, outages, loop, opening } = setup();
  loop.change(opening("a"));
  await setImmediate();
  clock.nowMs = 2_000;
  await until(() => loop.away);
  expect(told).toEqual([]);
  store.commits[0]?.succeed();
  await loop.settled();
  expect(loop.away).toBe(false);
  expect(told).toEqual(["a"]);
  expect(outages).toEqual([true, false]);
});

test("where nothing is left to be tried again, the store is asked until it can be written", async () => {
  const { store, told, outages, loop, submission } = setup();
  loop.change(submission("a"));
  await setImmediate();
  store.writable = false;
  store.commits[0]?.fail("rolled_back");
  await until(() => store.pings === 2);
  expect([loop.away, told]).toEqual([true, ["a abandoned"]]);
  await loop.settled();
  store.writable = true;
  await until(() => !loop.away);
  expect(outages).toEqual([true, false]);
  loop.change(submission("b"));
  await setImmediate();
  store.commits[1]?.succeed();
  await loop.settled();
  expect(told).toEqual(["a abandoned", "b"]);
});

test("a turn without a change does not tell that the store is back", async () => {
  const { store, told, outages, loop, submission } = setup();
  loop.change(submission("a"));
  await setImmediate();
  store.writable = false;
  store.commits[0]?.fail("rolled_back");
  await until(() => store.pings === 1);
  loop.after(() => told.push("after"));
  await until(() => told.includes("after"));
  expect([loop.away, outages]).toEqual([true, [true]]);
  store.writable = true;
  await until(() => !loop.away);
  expect(outages).toEqual([true, false]);
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}
