import { expect, test } from "@jest/globals";
import { UserCounts } from "../../src/coordinator/user-counts.ts";

const atOnce = { after: (callback: () => void) => callback() };

test("a task that begins to wait, or runs, while the count is read is counted on top", async () => {
  let answer = (_count: number): void => {};
  const readOf = () =>
    new Promise<number>((resolve) => {
      answer = resolve;
    });
  const counts = new UserCounts(readOf, atOnce);
  const looked = counts.look("ann", 10);
  counts.add("ann", -1);
  counts.add("ann", -1);
  counts.add("ann", 1);
  answer(5);
  await looked;
  expect(counts.peek("ann")).toBe(4);
});

test("a count over what is allowed is read anew behind what is on its way to the disk", async () => {
  let stored = 5;
  let committed = (): void => {};
  const after = (callback: () => void): void => {
    committed = callback;
  };
  const counts = new UserCounts(async () => stored, { after });
  await counts.look("ann", 5);
  const looked = counts.look("ann", 4);
  stored = 2;
  committed();
  await looked;
  expect(counts.peek("ann")).toBe(2);
});

test("of so many users the counts are remembered, and the others' read again", async () => {
  let reads = 0;
  const counts = new UserCounts(async () => ++reads, atOnce, 2);
  for (const userId of ["ann", "bob", "cy", "cy", "bob"]) await counts.look(userId, 100);
  expect(reads).toBe(3);
  await counts.look("ann", 100);
  expect([reads, counts.peek("ann"), counts.peek("bob")]).toEqual([4, 4, null]);
});
