import type { AttemptRecord } from "./attempt-record.ts";
import type { ProviderRecord } from "./provider-record.ts";
import type { TaskRecord } from "./task-record.ts";

/** What is to happen at an instant. */
export type Timer = { atMs: number; sequence: number } & (
  | { readonly type: "taskExpires" | "taskReady" | "skipEnds" | "holdEnds"; readonly subject: TaskRecord }
  | {
      readonly type: "leaseEnds" | "limitPasses" | "graceEnds" | "slotReleases";
      readonly subject: AttemptRecord;
    }
  | { readonly type: "restEnds" | "slownessAges" | "conductAges"; readonly subject: ProviderRecord }
);

/** A timer about a task that is not armed yet. */
export function taskTimer(type: "taskExpires" | "taskReady" | "skipEnds" | "holdEnds", subject: TaskRecord): Timer {
  return { type, subject, atMs: Infinity, sequence: 0 };
}

/** A timer about an attempt that is not armed yet. */
export function attemptTimer(
  type: "leaseEnds" | "limitPasses" | "graceEnds" | "slotReleases",
  subject: AttemptRecord,
): Timer {
  return { type, subject, atMs: Infinity, sequence: 0 };
}

/** A timer about a provider that is not armed yet. */
export function providerTimer(type: "restEnds" | "slownessAges" | "conductAges", subject: ProviderRecord): Timer {
  return { type, subject, atMs: Infinity, sequence: 0 };
}
