import { expect, test } from "@jest/globals";
import { inputsToRemove } from "../../src/storage/sweep-result.ts";

const MIB = 1_024 * 1_024;
const input = (seq: number, megabytes: number, old = true) => ({ seq, bytes: megabytes * MIB, old });

test("a bite takes large inputs of 16 MiB together, or one that is larger, and the next goes on behind it", () => {
  const looked = [input(1, 10), input(2, 100, false), input(3, 6), input(4, 1), input(5, 40)];
  expect(inputsToRemove(looked, 5)).toEqual({ seqs: [1, 3], cursor: 3 });
  expect(inputsToRemove(looked.slice(3), 5)).toEqual({ seqs: [4], cursor: 4 });
  expect(inputsToRemove(looked.slice(4), 5)).toEqual({ seqs: [5], cursor: 0 });
});

test("behind as many as it may look at it goes on, whether they are old or not", () => {
  expect(inputsToRemove([input(1, 1, false), input(2, 1, false)], 2)).toEqual({ seqs: [], cursor: 2 });
  expect(inputsToRemove([input(1, 1, false)], 2)).toEqual({ seqs: [], cursor: 0 });
});
