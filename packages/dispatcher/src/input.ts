import type { Provider } from "./provider.ts";
import type { Task } from "./task.ts";

/** Identifies one attempt. The core numbers the attempts of a task from 1; the shell creates the ids used on the wire. */
export interface AttemptRef {
  readonly taskId: string;
  readonly attempt: number;
}

/** Why an attempt failed, as far as it is known.
 *  `task`: the task itself is at fault, final at once. `node`: the provider is, retried elsewhere.
 *  `unexplained`: a legacy node's error without a reason; retried, and counted against the node only if the task succeeds elsewhere. */
export type Fault = "task" | "node" | "unexplained";

/** What users may do, set by configuration or an API key. Defaults: weight 1, class 0, 10 000 queued, no cap on running. */
export interface UserLimits {
  /** > 0; the user's share relative to others. */
  readonly weight: number;
  /** Administrator's class, higher first, strict and without ageing. */
  readonly userClass: number;
  readonly queuedMax: number;
  /** null for no cap. */
  readonly runningMax: number | null;
}

/** The inputs of the core. Each is fed together with the time, a monotonic number of milliseconds. */
export type DispatcherInput =
  | { readonly type: "submit"; readonly task: Task }
  | { readonly type: "cancel"; readonly taskId: string }
  /** Removes a task without settling it (it could not be stored, or another server claimed it). Open attempts are aborted. */
  | { readonly type: "withdraw"; readonly taskId: string }
  /** Sets a user's limits. Only a bounded number of users without tasks is remembered (`idleUsersMax`): ask `limitsOf` before a submit whether these
   *  still apply. */
  | { readonly type: "userChanged"; readonly userId: string; readonly limits: UserLimits }
  /** A session registered. `held`: the open attempts it says it has; what the core believes it has and is not listed is lost.
   *  A second join of a connected provider replaces its session. `draining`: it is drained from the first moment on; default false,
   *  whatever it was before. */
  | {
      readonly type: "providerJoined";
      readonly provider: Provider;
      readonly held: readonly AttemptRef[];
      readonly draining?: boolean;
    }
  | { readonly type: "providerChanged"; readonly provider: Provider }
  /** `broken`: a protocol-2 socket is gone, its attempts become lost and may come back. `left`: for good; they are lost and closed. */
  | { readonly type: "providerLost"; readonly providerId: string; readonly how: "broken" | "left" }
  /** Any sign of life: renews every lease of this provider. Cheap; may be fed on every frame. */
  | { readonly type: "providerHeard"; readonly providerId: string }
  | { readonly type: "drain"; readonly providerId: string }
  | { readonly type: "undrain"; readonly providerId: string }
  /** The shell stored and sent it; an attempt that could not be sent is `rejected` or ends with its provider. */
  | ({ readonly type: "sent"; readonly providerId: string } & AttemptRef)
  | ({ readonly type: "accepted"; readonly providerId: string } & AttemptRef)
  /** Handed back without a fault: no budget is charged and this provider is skipped for this task for 30 s. */
  | ({ readonly type: "rejected"; readonly providerId: string; readonly reason: string } & AttemptRef)
  /** `value` 0 to 1; a value that is lower than an earlier one counts as the earlier one. */
  | ({ readonly type: "progressed"; readonly providerId: string; readonly value: number } & AttemptRef)
  /** A good result is here. `gpuMs`: measured time, or null to take the time since it was sent. `warmModel`: what is in memory now. */
  | ({
      readonly type: "completed";
      readonly providerId: string;
      readonly gpuMs: number | null;
      /** Part of it in which the model was loaded, where the provider measured it. */
      readonly loadMs?: number | null;
      readonly warmModel: string | null;
    } & AttemptRef)
  | ({
      readonly type: "failed";
      readonly providerId: string;
      readonly fault: Fault;
      readonly code: string;
    } & AttemptRef)
  /** For this long no attempt is considered lost because of silence. To be fed after a start, and after a gap in the loop or an outage of the store. */
  | { readonly type: "amnesty"; readonly forMs: number }
  /** The time of `nextDeadlineMs()` has come. */
  | { readonly type: "tick" };
