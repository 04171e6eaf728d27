import { expect, test } from "@jest/globals";
import { runTrial } from "../../src/chaos/run-trial.ts";
import { scalerKill } from "../../src/chaos/scaler-kill.ts";

/** Skipped where no Docker engine answers, as jest's globalSetup has found out. */
const dockerTest = process.env.GENAI_TEST_DOCKER === "no" ? test.skip : test;

dockerTest(
  "ten kills of the scaler at any moment leave no container that its list does not show, and none twice",
  async () => {
    const { figures, violations, seed, skipped } = await runTrial(scalerKill, { options: { kills: 10 } });
    console.info(`scaler-kill, seed ${seed}: ${figures.map(({ name, value }) => `${name} ${value}`).join(", ")}`);
    expect(skipped).toBeUndefined();
    expect(violations).toEqual([]);
  },
  300_000,
);
