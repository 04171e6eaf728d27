import { expect, test } from "@jest/globals";
import { runTrial } from "../../src/chaos/run-trial.ts";
import { serverKill } from "../../src/chaos/server-kill.ts";

test("check 1: ten kills of the server at any moment lose no acknowledged task, settle none twice, and each ends", async () => {
  const { figures, violations, seed } = await runTrial(serverKill, {
    options: { kills: 10, tasks: 400, clients: 16, nodes: 20, startMsMax: 0 },
  });
  console.info(`server-kill, seed ${seed}: ${figures.map(({ name, value }) => `${name} ${value}`).join(", ")}`);
  expect(violations).toEqual([]);
}, 180_000);
