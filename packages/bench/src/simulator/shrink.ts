import type { PlantedFault } from "@genai/dispatcher/testing";
import { type Outcome, replay } from "./simulate.ts";
import type { TraceItem } from "./trace.ts";

/** Replays that are tried at most. */
const TRIALS_MAX = 3_000;

/** The shortest trace found that breaks the same rule: leaves out ever smaller pieces as long as it still does. */
export function shrink(failed: Outcome, planted: readonly PlantedFault[]): Outcome {
  let best = failed;
  let trials = 0;
  const stillFails = (trace: readonly TraceItem[]): boolean => {
    trials += 1;
    const outcome = replay({ ...failed, trace }, planted);
    if (shapeOf(outcome) !== shapeOf(failed)) return false;
    best = { ...outcome, trace };
    return true;
  };
  for (let piece = Math.ceil(failed.trace.length / 2); piece >= 1; ) {
    let shorter = false;
    for (let from = 0; from < best.trace.length && trials < TRIALS_MAX; ) {
      if (stillFails([...best.trace.slice(0, from), ...best.trace.slice(from + piece)])) shorter = true;
      else from += piece;
    }
    if (trials >= TRIALS_MAX || (piece === 1 && !shorter)) break;
    if (!shorter || piece > 1) piece = Math.max(1, Math.floor(piece / 2));
  }
  return best;
}

/** The rule that was broken and how, without names and numbers. */
function shapeOf({ violation }: Outcome): string {
  return violation === null
    ? ""
    : `${violation.rule} ${violation.message.replace(/[\w-]*\d[\w.-]*/g, "#").slice(0, 80)}`;
}
