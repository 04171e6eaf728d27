import type { AttemptRef } from "./input.ts";

/** Why an attempt is to stop. */
export type AbortReason = "canceled" | "superseded" | "limit" | "deadline" | "lost" | "withdrawn";

/** The state of an attempt. Open: assigned, sent, accepted, running, lost. Closed: the others. */
export type AttemptState =
  | "assigned"
  | "sent"
  | "accepted"
  | "running"
  | "lost"
  | "succeeded"
  | "failed"
  | "rejected"
  | "aborted"
  /** Lost, and its lease has ended or its provider is gone for good. */
  | "expired";

/** How a task ended. `code` names the reason of a failure in stable words. */
export type Settlement =
  | { readonly state: "succeeded"; readonly attempt: number }
  | {
      readonly state: "failed";
      readonly code: "task_failed" | "attempts_exhausted" | "nodes_lost" | "deadline_exceeded";
      /** The attempt whose error tells why, or null where none failed. */
      readonly attempt: number | null;
    }
  | { readonly state: "canceled" };

/** What the core asks of its caller, in order. The caller stores what has to be stored in one commit, and only then
 *  sends, aborts and answers. Plain JSON; durations are whole milliseconds, whatever fractions the clock has, since stores keep no others. */
export type DispatcherEffect =
  /** Store a new attempt, commit, send it to the provider, then feed `sent`. */
  | ({
      readonly type: "send";
      readonly providerId: string;
      readonly cost: number;
      /** The longest that it may take, in whole milliseconds. */
      readonly limitMs: number;
      /** What loading and running are expected to take, in whole milliseconds: what its user is charged with until it is measured. */
      readonly expectedMs: number;
    } & AttemptRef)
  | ({ readonly type: "abort"; readonly providerId: string; readonly reason: AbortReason } & AttemptRef)
  /** An attempt changed its state (never `assigned`: that is `send`). `gpuMs` is what it is charged with once it is closed, in whole
   *  milliseconds. */
  | ({
      readonly type: "attemptChanged";
      readonly providerId: string;
      readonly state: Exclude<AttemptState, "assigned">;
      readonly open: boolean;
      readonly gpuMs: number;
    } & AttemptRef)
  /** The task waits again. `faults` and `losses` are its budgets as they stand now. */
  | {
      readonly type: "requeued";
      readonly taskId: string;
      readonly reason: "lost" | "fault" | "rejected" | "aborted";
      readonly faults: number;
      readonly losses: number;
      readonly failedProviderIds: readonly string[];
      /** What is left of its backoff, in whole milliseconds: it is not sent before that. 0 for none. */
      readonly retryInMs: number;
    }
  | { readonly type: "settled"; readonly taskId: string; readonly settlement: Settlement }
  /** Answer to `completed` and `failed` of a protocol-2 provider, to be acknowledged after the commit.
   *  Where the core does not know the task any more it refuses with `unknown_task` and the store has the verdict. */
  | ({
      readonly type: "verdict";
      readonly providerId: string;
      readonly verdict: "accepted" | "duplicate" | "stale" | "canceled";
    } & AttemptRef)
  /** A legacy provider holds an attempt past its limit, and ignores aborts: close its socket. */
  | { readonly type: "disconnect"; readonly providerId: string; readonly reason: "limit" };

/** Why an input was refused; the state is untouched. */
export interface Refusal {
  readonly code:
    | "invalid"
    | "unknown_task"
    | "unknown_provider"
    | "unknown_attempt"
    | "duplicate_task"
    | "queue_full"
    | "limit_reached";
  /** Path of the wrong field, such as `task.maxCost`; empty where no single field is wrong. */
  readonly field: string;
  /** A sentence that names the thing and the value. */
  readonly message: string;
  /** For `queue_full`: when to try again, computed from how fast this user's queue moves. */
  readonly retryAfterMs?: number;
}

/** The result of one input. */
export type StepResult =
  | { readonly ok: true; readonly effects: readonly DispatcherEffect[] }
  | { readonly ok: false; readonly refusal: Refusal };
