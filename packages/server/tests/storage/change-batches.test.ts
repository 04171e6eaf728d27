import { expect, test } from "@jest/globals";
import type { StoreChange } from "../../src/storage/index.ts";
import { changeBatches, prepareChange } from "../../src/storage/postgres/change-batches.ts";
import { KnownNames } from "../../src/storage/postgres/known-names.ts";
import { changed, inserted, newTask, opened, requeued, settled } from "./support/builders.ts";

/** By kind, where in the group each change of a batch was. */
function placesOf(changes: readonly StoreChange[], known = new KnownNames()): readonly Record<string, unknown>[] {
  const batches = JSON.parse(changeBatches(changes.map(prepareChange), known)) as readonly Record<string, unknown[]>[];
  return batches.map((batch) =>
    Object.fromEntries(
      Object.entries(batch).map(([kind, entries]) => [
        kind,
        entries.map((entry) => (typeof entry === "object" ? (entry as { readonly n: number }).n : entry)),
      ]),
    ),
  );
}

const known = new KnownNames();
known.committed([inserted(newTask())]);

test("a turn of new tasks, opened attempts and settled tasks is one batch", () => {
  const [one, two, done] = [newTask(), newTask(), newTask()];
  const group = [
    inserted(one),
    opened(one.taskId),
    changed("a"),
    settled(done.taskId),
    inserted(two),
    opened(two.taskId),
  ];
  expect(placesOf(group, known)).toEqual([
    { taskInserted: [1, 5], attemptOpened: [2, 6], attemptChanged: [3], taskSettled: [4] },
  ]);
});

test("what is about one task, attempt or key keeps its order", () => {
  const [task, other] = [newTask(), newTask()];
  const idempotency = { key: "k", bodyHash: "h" };
  const deleted = { type: "taskDeleted", taskId: task.taskId } as const;
  const released = { type: "claimReleased", taskIds: [task.taskId] } as const;
  const attemptId = "019aaaaa-0000-7000-8000-0000000000aa";
  expect(placesOf([requeued(task.taskId), opened(task.taskId)])).toEqual([
    { taskRequeued: [1] },
    { attemptOpened: [2] },
  ]);
  expect(placesOf([changed(attemptId), opened(task.taskId, { attemptId })])).toEqual([
    { attemptChanged: [1] },
    { attemptOpened: [2] },
  ]);
  expect(placesOf([released, opened(task.taskId)])).toEqual([{ claimReleased: [1] }, { attemptOpened: [2] }]);
  // An attempt goes with its task, which it does not name.
  expect(placesOf([deleted, changed(attemptId)])).toEqual([{ taskDeleted: [1] }, { attemptChanged: [2] }]);
  expect(placesOf([inserted(task, { idempotency }), inserted(other, { idempotency })], known)).toEqual([
    { taskInserted: [1], keyed: [1] },
    { taskInserted: [2], keyed: [2] },
  ]);
});

test("names go along, in one order, until they were committed", () => {
  const names = new KnownNames();
  const group = ["zoe", "bob"].map((userId) => inserted(newTask({ userId })));
  expect(placesOf(group, names)).toMatchObject([{ users: ["bob", "zoe"], classes: ["sdxl"] }]);
  names.committed(group.slice(0, 1));
  const [batch] = placesOf(group, names);
  expect([batch?.users, batch?.classes]).toEqual([["bob"], undefined]);
  names.forget();
  expect(placesOf(group, names)).toMatchObject([{ users: ["bob", "zoe"], classes: ["sdxl"] }]);
});
