import { parseArgs } from "node:util";
import { PLANTED_FAULTS } from "@genai/dispatcher/testing";
import { z } from "zod";
import { shrink } from "./shrink.ts";
import { type Outcome, replayRecorded, simulate } from "./simulate.ts";
import { readTrace, toLines } from "./trace.ts";

const USAGE = `npm run sim -- [--seed N] [--seeds K] [--steps M] [--seconds S] [--planted FAULT] [--replay FILE]
  --seed N        the first seed, default 1
  --seeds K       how many runs, default 1
  --steps M       inputs a run, default 100
  --seconds S     begin no run after this long
  --planted F     make a mistake on purpose: ${PLANTED_FAULTS.join(", ")}
  --replay FILE   play a trace that the server recorded (TRACE_FILE)
`;

const whole = z.coerce.number().int().min(0);
const Arguments = z.strictObject({
  seed: whole.default(1),
  seeds: whole.default(1),
  steps: whole.min(1).default(100),
  seconds: z.coerce.number().positive().default(Infinity),
  planted: z.enum(PLANTED_FAULTS).optional(),
  replay: z.string().optional(),
});

function argumentsOrUsage(): z.infer<typeof Arguments> | null {
  const text = { type: "string" } as const;
  const options = { seed: text, seeds: text, steps: text, seconds: text, planted: text, replay: text };
  try {
    const { help, ...values } = parseArgs({ options: { ...options, help: { type: "boolean" } } }).values;
    if (!help) return Arguments.parse(values);
    process.stdout.write(USAGE);
    process.exit(0);
  } catch (error) {
    process.stderr.write(
      `${error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message}\n${USAGE}`,
    );
    return null;
  }
}

function tell({ violation, trace }: Outcome): void {
  process.stdout.write(`${trace.length} inputs are enough: ${violation?.message ?? ""}\n${toLines(trace)}`);
}

async function replayFile(path: string): Promise<boolean> {
  const { steps, sent, settled, refused, violation } = await replayRecorded(readTrace(path));
  process.stdout.write(`${steps} inputs, ${sent} attempts sent, ${settled} tasks settled, ${refused} refused\n`);
  if (violation === null) return true;
  process.stdout.write(`Input ${violation.step} broke the rule "${violation.rule}": ${violation.message}\n`);
  return false;
}

function runSeeds({ seed, seeds, steps, seconds, planted: fault }: z.infer<typeof Arguments>): boolean {
  const planted = fault === undefined ? [] : [fault];
  const startMs = performance.now();
  const elapsedSeconds = () => (performance.now() - startMs) / 1_000;
  let inputs = 0;
  let settled = 0;
  let runs = 0;
  let failed: Outcome | null = null;
  while (runs < seeds && failed === null && elapsedSeconds() < seconds) {
    const outcome = simulate(seed + runs, steps, planted);
    runs += 1;
    inputs += outcome.steps;
    settled += outcome.settled;
    if (outcome.violation !== null) failed = outcome;
  }
  process.stdout.write(`${runs} runs, ${inputs} inputs, ${settled} tasks settled, ${elapsedSeconds().toFixed(1)} s\n`);
  if (failed?.violation == null) return true;
  const { rule, step, message } = failed.violation;
  process.stdout.write(`Seed ${failed.seed} broke the rule "${rule}" at step ${step}: ${message}\n`);
  tell(shrink(failed, planted));
  process.stdout.write(
    `Again: npm run sim -- --seed ${failed.seed} --steps ${steps}${fault ? ` --planted ${fault}` : ""}\n`,
  );
  return false;
}

const parsed = argumentsOrUsage();
if (parsed === null) process.exitCode = 2;
else {
  const held = parsed.replay === undefined ? runSeeds(parsed) : await replayFile(parsed.replay);
  process.exitCode = held ? 0 : 1;
}
