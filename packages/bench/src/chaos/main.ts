import { parseArgs } from "node:util";
import { backlogTrial } from "./backlog-trial.ts";
import { leaseTrial } from "./lease-trial.ts";
import { outageTrial } from "./outage-trial.ts";

/** What every trial is told. Those that draw lots print their seed; the same seed draws the same lots. */
export interface TrialOptions {
  readonly seed: number;
  /** Size of the trial, or null for its own. */
  readonly tasks: number | null;
}

/** `npm run chaos -- <name>`: real processes under faults. A trial prints its figures, and throws where a promise was broken. */
const TRIALS: Readonly<Record<string, (options: TrialOptions) => Promise<void>>> = {
  lease: ({ seed, tasks }) => leaseTrial({ seed, tasks: tasks ?? 1_000 }),
  outage: () => outageTrial({ awayMs: 120_000 }),
  backlog: ({ tasks }) => backlogTrial({ tasks: tasks ?? 200 }),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string" }, tasks: { type: "string" } },
});
const trial = TRIALS[positionals[0] ?? ""];
if (trial) {
  await trial({
    seed: Number(values.seed ?? Math.floor(Math.random() * 2 ** 31)),
    tasks: values.tasks === undefined ? null : Number(values.tasks),
  });
} else {
  process.stderr.write(`Which trial? ${Object.keys(TRIALS).join(", ")}\n`);
  process.exitCode = 2;
}
