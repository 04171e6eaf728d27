import { expect } from "@jest/globals";
import { runTrial } from "../../../src/chaos/run-trial.ts";
import type { Trial } from "../../../src/chaos/trial.ts";

/** Runs a trial with numbers that fit into a test, prints what it measured, and fails where something was violated or it was skipped. */
export async function shortForm<Option extends string>(
  trial: Trial<Option>,
  options: Partial<Readonly<Record<Option, number>>>,
  { seed }: { readonly seed?: number } = {},
): Promise<void> {
  const result = await runTrial(trial, { options, ...(seed !== undefined && { seed }) });
  const measured = result.figures.map(({ name, value }) => `${name} ${value}`).join(", ");
  console.info(`${trial.name}, seed ${result.seed}: ${measured}`);
  expect(result.skipped).toBeUndefined();
  expect(result.violations).toEqual([]);
}
