import { expect, test } from "@jest/globals";
import { QueuedCounts } from "../../src/coordinator/queued-counts.ts";

test("a task that begins to wait, or runs, while the count is read is counted on top", async () => {
  let answer = (_count: number): void => {};
  const queuedOf = () =>
    new Promise<number>((resolve) => {
      answer = resolve;
    });
  const counts = new QueuedCounts({ queuedOf }, { after: () => {} });
  const loaded = counts.load("ann");
  counts.add("ann", -1);
  counts.add("ann", -1);
  counts.add("ann", 1);
  answer(5);
  await loaded;
  expect(counts.peek("ann")).toBe(4);
});

test("a count is read anew behind what is on its way to the disk", async () => {
  let stored = 5;
  let committed = (): void => {};
  const after = (callback: () => void): void => {
    committed = callback;
  };
  const counts = new QueuedCounts({ queuedOf: async () => stored }, { after });
  await counts.load("ann");
  const recounted = counts.recount("ann");
  stored = 2;
  committed();
  await recounted;
  expect(counts.peek("ann")).toBe(2);
});
