import type { StepResult } from "@genai/dispatcher";
import type { PlantedFault } from "@genai/dispatcher/testing";
import { CheckedDispatcher } from "./checked-dispatcher.ts";
import { endWell } from "./ending.ts";
import { drawProfile, optionsOf, type Profile } from "./profile.ts";
import { Random } from "./random.ts";
import type { TraceItem } from "./trace.ts";
import type { Violation } from "./violation.ts";
import { World } from "./world.ts";

/** What one run came to. */
export interface Outcome {
  readonly seed: number;
  /** Null for a recorded trace. */
  readonly profile: Profile | null;
  readonly steps: number;
  readonly sent: number;
  readonly settled: number;
  readonly refused: number;
  readonly violation: Violation | null;
  readonly trace: readonly TraceItem[];
}

/** One run: so many inputs of a world with faults, and then an ending without any. The same arguments give the same run. */
export function simulate(seed: number, stepsMax: number, planted: readonly PlantedFault[] = []): Outcome {
  const random = new Random(seed);
  const profile = drawProfile(random, seed, stepsMax);
  const checked = new CheckedDispatcher(planted, profile.calm, optionsOf(profile));
  // Not drawn from the stream of chance, so that runs without fractions are as they were.
  const fractions = new Random(~seed);
  new World(checked, { random, fractions }, profile).live(stepsMax);
  return finish(seed, profile, checked);
}

/** Plays a recorded trace: every promise is checked, and what comes of each input must be what was recorded, byte for byte. */
export async function replayRecorded(trace: AsyncIterable<TraceItem>): Promise<Outcome> {
  const checked = new CheckedDispatcher([], null);
  let last: StepResult | null = null;
  for await (const item of trace) {
    if ("options" in item) checked.start(item.options);
    else if ("input" in item) last = checked.feed(item.nowMs, item.input);
    else if (last !== null && JSON.stringify(last) !== JSON.stringify(item.result)) {
      checked.violated("determinism", `it came to ${JSON.stringify(last)}, recorded is ${JSON.stringify(item.result)}`);
    }
    if (checked.violation !== null) break;
  }
  const { steps, counts, violation } = checked;
  return { seed: 0, profile: null, steps, ...counts, violation, trace: checked.trace };
}

/** The same inputs once more, and the same ending. */
export function replay(run: Pick<Outcome, "seed" | "profile" | "trace">, planted: readonly PlantedFault[]): Outcome {
  const checked = new CheckedDispatcher(planted, run.profile?.calm ?? null);
  for (const item of run.trace) {
    if (checked.violation !== null) break;
    if ("options" in item) checked.start(item.options);
    else if ("input" in item) checked.feed(item.nowMs, item.input);
  }
  return finish(run.seed, run.profile, checked);
}

function finish(seed: number, profile: Profile | null, checked: CheckedDispatcher): Outcome {
  const trace = [...checked.trace];
  if (checked.violation === null) endWell(checked);
  const { steps, counts, violation } = checked;
  return { seed, profile, steps, ...counts, violation, trace };
}
