import { test } from "@jest/globals";
import { whyNoLoopDisks } from "../../src/chaos/processes/loop-disk.ts";
import { powerCut } from "../../src/chaos/trials/power-cut.ts";
import { shortForm } from "./support/short-form.ts";

const whyNot = whyNoLoopDisks();
if (whyNot !== null) console.info(whyNot);

(whyNot === null ? test : test.skip)(
  "check 2: after a power cut the store opens, is sound, and has every task and every end that a client was told of",
  () => shortForm(powerCut, { cuts: 2, megabytes: 256 }),
  180_000,
);
