import { expect, test } from "@jest/globals";
import { migrations } from "../../src/chaos/migrations.ts";
import { runTrial } from "../../src/chaos/run-trial.ts";

test("check 23: a migration that is killed leaves the old schema or the new one, never half of it", async () => {
  const { figures, violations, seed } = await runTrial(migrations, { options: { kills: 4, starters: 3 } });
  console.info(`migrations, seed ${seed}: ${figures.map(({ name, value }) => `${name} ${value}`).join(", ")}`);
  expect(violations).toEqual([]);
}, 120_000);
