import { expect, test } from "@jest/globals";
import { diskFull } from "../../src/chaos/disk-full.ts";
import { runTrial } from "../../src/chaos/run-trial.ts";

test("check 21: while the disk is full writes are refused, reads and nodes go on, and all is back by itself", async () => {
  const { figures, violations, seed } = await runTrial(diskFull, { options: { rounds: 2 } });
  console.info(`disk-full, seed ${seed}: ${figures.map(({ name, value }) => `${name} ${value}`).join(", ")}`);
  expect(violations).toEqual([]);
}, 120_000);
