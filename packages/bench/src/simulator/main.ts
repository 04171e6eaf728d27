import { parseArgs } from "node:util";
import { PLANTED_FAULTS, type PlantedFault } from "@genai/dispatcher/testing";
import { shrink } from "./shrink.ts";
import { type Outcome, simulate } from "./simulate.ts";
import { toLines } from "./trace.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string", default: "1" },
    steps: { type: "string", default: "100" },
    planted: { type: "string" },
    seconds: { type: "string" },
  },
});

const firstSeed = Number(values.seed);
const steps = Number(values.steps);
const planted = PLANTED_FAULTS.filter((fault): fault is PlantedFault => fault === values.planted);
const endAtMs = values.seconds === undefined ? Infinity : Date.now() + Number(values.seconds) * 1_000;

let failed: Outcome | null = null;
let runs = 0;
let inputs = 0;
let settled = 0;
const startMs = Date.now();
while (runs < Number(values.seeds) && failed === null && Date.now() < endAtMs) {
  const outcome = simulate(firstSeed + runs, steps, planted);
  runs += 1;
  inputs += outcome.steps;
  settled += outcome.settled;
  if (outcome.violation !== null) failed = outcome;
}
const seconds = (Date.now() - startMs) / 1_000;
process.stdout.write(`${runs} runs, ${inputs} inputs, ${settled} tasks settled, ${seconds.toFixed(1)} s\n`);
if (failed?.violation) {
  const { rule, step, message } = failed.violation;
  process.stdout.write(`Seed ${failed.seed} broke the rule "${rule}" at step ${step}: ${message}\n`);
  const shortest = shrink(failed, planted);
  process.stdout.write(
    `${shortest.trace.length} inputs are enough: ${shortest.violation?.message}\n${toLines(shortest.trace)}`,
  );
  process.stdout.write(`Again: npm run sim -- --seed ${failed.seed} --steps ${steps}\n`);
  process.exitCode = 1;
}
