import { expect, test } from "@jest/globals";
import { powerCut } from "../../src/chaos/power-cut.ts";
import { runTrial } from "../../src/chaos/run-trial.ts";
import { whyNoLoopDisks } from "../../src/chaos/support/loop-disk.ts";

const whyNot = whyNoLoopDisks();
if (whyNot !== null) console.info(whyNot);

(whyNot === null ? test : test.skip)(
  "check 2: after a power cut the store opens, is sound, and has every task and every end that a client was told of",
  async () => {
    const { figures, violations, seed } = await runTrial(powerCut, { options: { cuts: 2, megabytes: 256 } });
    console.info(`power-cut, seed ${seed}: ${figures.map(({ name, value }) => `${name} ${value}`).join(", ")}`);
    expect(violations).toEqual([]);
  },
  180_000,
);
