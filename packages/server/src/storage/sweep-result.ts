import type { TaskEvent } from "../tasks/stored-task.ts";

export interface SweepOptions {
  readonly taskTtlMs: number;
  readonly artifactTtlMs: number;
  /** Rows of each kind that one bite takes. */
  readonly limit: number;
}

export interface SweepResult {
  readonly deleted: number;
  readonly expired: readonly TaskEvent[];
  readonly artifactKeys: readonly string[];
}
