import type { Job, Machine } from "./workload.ts";

/** A job goes to a machine now. */
export interface Given {
  readonly job: Job;
  readonly machine: Machine;
}

/** Who gets what: told of arrivals and ends, it says what starts. A machine runs one job at a time. */
export interface Policy {
  readonly name: string;
  arrived(nowMs: number, job: Job): readonly Given[];
  ended(nowMs: number, given: Given, measured: { readonly runMs: number; readonly loadMs: number }): readonly Given[];
  /** When it wants to be asked again though nothing happened; Infinity for never. */
  nextAtMs(): number;
  woken(nowMs: number): readonly Given[];
}
