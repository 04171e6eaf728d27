import type { DispatcherOptions } from "@genai/dispatcher";
import type { Random } from "./random.ts";
import type { CalmFacts } from "./rules/fairness.ts";

/** How a run goes, drawn from its seed. Probabilities are for each occasion, durations in milliseconds. */
export interface Profile {
  /** Nothing fails, the fleet is of equal slots, and users of equal weight always have something waiting. */
  readonly calm: CalmFacts | null;
  readonly nodes: number;
  readonly users: number;
  /** Mean time between two arrivals, and how many tasks come at once in a burst. */
  readonly arrivalMs: number;
  readonly burst: number;
  /** Mean time of a run of 512 × 512 pixels with 20 steps. */
  readonly runMs: number;
  /** Mean time between two faults somewhere in the fleet. */
  readonly faultMs: number;
  readonly legacyShare: number;
  readonly rejects: number;
  readonly fails: number;
  readonly hangs: number;
  readonly duplicates: number;
  readonly lies: number;
  readonly hostile: number;
  readonly clockFaults: number;
  readonly restarts: number;
  /** The dispatcher's option of that name. */
  readonly warmTurnsMax: number;
  /** Chatty nodes say accepted and progress. */
  readonly chatty: boolean;
  /** The clock has fractions of a millisecond, as real ones do. */
  readonly fractions: boolean;
}

/** Every eighth run is calm: fairness is promised where nothing else interferes. */
const CALM_SHARE = 0.125;
/** Tasks of a calm run take up to this long, the way to the node and back included. */
const CALM_RUN_MS = 20_000;

/** How many tasks with a warm model may go first, by the seed: none in two of three runs. Not drawn from the stream of chance, so that all
 *  others are as they would be without. */
const WARM_TURNS_MAX = [4, 0, 0, 8, 0, 0] as const;

/** Whether the clock has fractions, by the seed as well. */
const FRACTIONS = [true, false, false, true] as const;

export function drawProfile(random: Random, seed: number, stepsMax: number): Profile {
  const isLong = stepsMax > 1_000;
  const warmTurnsMax = WARM_TURNS_MAX[seed % WARM_TURNS_MAX.length] ?? 0;
  const fractions = FRACTIONS[seed % FRACTIONS.length] ?? false;
  if (random.chance(CALM_SHARE)) {
    const nodes = random.integer(1, 4);
    return {
      calm: { slots: nodes, attemptMsMax: CALM_RUN_MS, creditMs: 600_000 },
      nodes,
      users: random.integer(2, 4),
      arrivalMs: 0,
      burst: 1,
      runMs: random.integer(1_000, CALM_RUN_MS / 4),
      faultMs: Infinity,
      legacyShare: 0,
      rejects: 0,
      fails: 0,
      hangs: 0,
      duplicates: 0,
      lies: 0,
      hostile: 0,
      clockFaults: 0,
      restarts: 0,
      warmTurnsMax,
      chatty: false,
      fractions,
    };
  }
  const maybe = (probability: number, value: number) => (random.chance(probability) ? random.fraction() * value : 0);
  const nodes = random.integer(1, isLong ? 14 : 7);
  const runMs = random.pick([500, 3_000, 10_000, 30_000]);
  return {
    calm: null,
    nodes,
    users: random.integer(1, isLong ? 8 : 4),
    // From half to one and a half of what the fleet can do.
    arrivalMs: runMs / nodes / (0.5 + random.fraction()),
    burst: random.pick([1, 1, 3, 12]),
    runMs,
    faultMs: random.pick([2_000, 10_000, 60_000]),
    legacyShare: random.pick([0, 0.3, 0.3, 1]),
    rejects: maybe(0.5, 0.2),
    fails: maybe(0.6, 0.4),
    hangs: maybe(0.5, 0.1),
    duplicates: maybe(0.5, 0.3),
    lies: maybe(0.4, 0.2),
    hostile: maybe(0.5, 0.1),
    clockFaults: maybe(0.4, 0.05),
    restarts: maybe(0.3, 0.01),
    warmTurnsMax,
    chatty: random.chance(0.5),
    fractions,
  };
}

/** The options of a dispatcher in such a run, at the start and after each restart. */
export function optionsOf({ warmTurnsMax }: Profile): Partial<DispatcherOptions> {
  return { warmTurnsMax };
}
