import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { Random } from "@genai/protocol/conformance";
import type { Trial, TrialResult } from "./trial.ts";

/** Runs a trial in a folder of its own, which is removed where nothing was violated. A trial that throws has violated something. */
export async function runTrial<Option extends string>(
  trial: Trial<Option>,
  how: {
    readonly options?: Partial<Readonly<Record<Option, number>>>;
    readonly store?: "sqlite" | "postgres";
    readonly seed?: number;
    readonly say?: (line: string) => void;
  } = {},
): Promise<TrialResult & { readonly seed: number; readonly store: string }> {
  const seed = how.seed ?? Math.floor(Math.random() * 2 ** 32);
  const folder = await mkdtemp(join(tmpdir(), `genai-chaos-${trial.name}-`));
  // PostgreSQL runs as another user where this is root, and has to get in.
  await chmod(folder, 0o755);
  const defaults = Object.entries(trial.options) as [Option, { readonly default: number }][];
  const options = {
    ...Object.fromEntries(defaults.map(([name, option]) => [name, option.default])),
    ...how.options,
  } as Record<Option, number>;
  const store = trial.onlyStore ?? how.store ?? "sqlite";
  const say = how.say ?? (() => undefined);
  const result = await trial
    .run({ options, store, random: new Random(seed), folder, say })
    .catch((error: unknown): TrialResult => ({ figures: [], violations: [`It could not go on: ${inspect(error)}`] }));
  if (result.violations.length === 0) await rm(folder, { recursive: true, force: true });
  else say(`Logs and store are kept in ${folder}`);
  return { ...result, seed, store };
}
