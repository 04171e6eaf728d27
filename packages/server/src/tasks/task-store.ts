import type { AbortReason, AttemptState } from "@genai/dispatcher";
import type { Pipeline } from "@genai/protocol";
import type {
  NewTask,
  StoredAttempt,
  StoredTask,
  TaskArtifact,
  TaskError,
  TaskEvent,
  TaskState,
} from "./stored-task.ts";

/** One change. Changes that come up in one turn of the loop are one transaction; each is guarded by the state it starts from. */
export type StoreChange =
  | {
      readonly type: "taskInserted";
      readonly task: NewTask;
      /** Requirement class, the dispatcher's `requirementClassKey`. */
      readonly classKey: string;
      /** It goes straight into this server's window. */
      readonly claimed: boolean;
      readonly idempotency: { readonly key: string; readonly bodyHash: string } | null;
    }
  /** The task becomes `running`. Guard: it is queued or running, and id and number are new; the same open attempt once more is
   *  applied without an event, for a caller that did not hear of its commit. */
  | {
      readonly type: "attemptOpened";
      readonly attemptId: string;
      readonly taskId: string;
      readonly attempt: number;
      readonly nodeId: string;
      readonly legacy: boolean;
      readonly cost: number;
      readonly limitMs: number;
      readonly atMs: number;
    }
  /** Guard: it is open. */
  | {
      readonly type: "attemptChanged";
      readonly attemptId: string;
      readonly state: AttemptState;
      readonly open: boolean;
      readonly atMs: number;
      readonly gpuMs: number;
      readonly abortReason: AbortReason | null;
      readonly error: TaskError | null;
    }
  /** The task waits again: `queued`. Guard: it has not settled. */
  | {
      readonly type: "taskRequeued";
      readonly taskId: string;
      readonly reason: string;
      readonly attempt: number | null;
      readonly faults: number;
      readonly losses: number;
      readonly failedNodeIds: readonly string[];
      readonly notBeforeMs: number;
      readonly atMs: number;
    }
  /** A lost attempt came back to its node: the task is `running` again. Guard: it has not settled. */
  | { readonly type: "taskResumed"; readonly taskId: string; readonly attempt: number; readonly atMs: number }
  /** Final. Guard: it has not settled. Writes the outbox row of the same transaction where the task has a webhook. */
  | {
      readonly type: "taskSettled";
      readonly taskId: string;
      readonly state: Extract<TaskState, "succeeded" | "failed" | "canceled">;
      readonly attempt: number | null;
      readonly artifacts: readonly TaskArtifact[];
      readonly error: TaskError | null;
      readonly atMs: number;
    }
  /** The window gives tasks back to the store unstarted. What another server holds by now stays with it. */
  | { readonly type: "claimReleased"; readonly taskIds: readonly string[] }
  | { readonly type: "taskDeleted"; readonly taskId: string }
  /** A submission whose caller was told that it is not accepted goes without a trace. Guard: it has not settled, no other server holds it,
   *  and nobody was told of it ({@link TaskStore.tell}). */
  | { readonly type: "submissionTakenBack"; readonly taskId: string };

/** What became of one change. */
export type ChangeOutcome =
  /** `event` is what it wrote into the task's log, if anything. */
  | { readonly type: "applied"; readonly event: TaskEvent | null }
  /** The guard failed: somebody else was first, or the idempotency key is taken (`taskId` says by which task). */
  | { readonly type: "conflict"; readonly taskId: string | null };

/** The store could not be written or read. `outcome` says whether the transaction may nevertheless have been committed. */
export class StoreUnavailable extends Error {
  readonly outcome: "rolled_back" | "unknown";
  /** Of a commit whose outcome is unknown, where the store can find it out. */
  readonly whatBecame: WhatBecame | null;

  constructor(
    message: string,
    outcome: "rolled_back" | "unknown",
    options?: ErrorOptions & { readonly whatBecame?: WhatBecame },
  ) {
    super(message, options);
    this.name = "StoreUnavailable";
    this.outcome = outcome;
    this.whatBecame = options?.whatBecame ?? null;
  }
}

/** Asks what became of a commit: the outcomes of its changes, or null where it was not applied and never will be. Rejects with
 *  {@link StoreUnavailable} while the store is away; ask again then. */
export type WhatBecame = () => Promise<readonly ChangeOutcome[] | null>;

/** A task that this server took into its window. */
export interface ClaimedTask {
  readonly task: StoredTask;
  readonly classKey: string;
}

/** A waiting task that the sweep ended, by its last event. */
export interface ExpiredTask {
  readonly event: TaskEvent;
  readonly classKey: string;
}

export interface ClaimRequest {
  /** Only tasks of these requirement classes. */
  readonly classKeys: readonly string[];
  /** At most so many, taken round robin over the users, each user's in their own order. 1 to 10 000. */
  readonly limit: number;
  /** Only tasks that may pay at least this many credits (the cheapest price of the slots that ask). */
  readonly costMin: number;
}

/** Waiting tasks of a class that no window holds. */
export interface ClassBacklog {
  readonly classKey: string;
  readonly unclaimed: number;
}

export interface TaskListFilter {
  readonly states?: readonly TaskState[];
  /** Model as asked for, compared normalized. */
  readonly model?: string;
  readonly metadata?: { readonly key: string; readonly value: string };
  readonly createdAfterMs?: number;
  readonly createdBeforeMs?: number;
}

/** A page of tasks, newest first. */
export interface TaskPage {
  readonly tasks: readonly StoredTask[];
  /** Where the next page starts, or null at the end. */
  readonly next: string | null;
}

/** What a user has used, for `GET /v2/usage`. */
export interface Usage {
  readonly tasks: Readonly<Record<TaskState, number>>;
  /** GPU milliseconds of all attempts. */
  readonly gpuMs: number;
  /** Credits of the accepted attempts. */
  readonly cost: number;
}

/** Where tasks live. The store is the queue and the truth; one contract suite holds for every adapter.
 *  Instants are the store's own clock where a decision hangs on them, the caller's `atMs` where they are only shown.
 *  Every call may reject with {@link StoreUnavailable}. */
export interface TaskStore {
  /** Applies the changes in order in one transaction and resolves once they are on the disk. Outcomes stand in the changes' order.
   *  Calls may overlap and are carried out one after the other. Where one fails, those that were made before its failure was
   *  known fail with it: nothing is ever applied out of order. One whose outcome is `unknown` is asked for
   *  ({@link StoreUnavailable.whatBecame}) before its changes are handed in again; without that the guards alone decide. */
  commit(changes: readonly StoreChange[]): Promise<readonly ChangeOutcome[]>;

  task(taskId: string): Promise<StoredTask | null>;
  /** Null where there is no such task, and where its large input is kept no longer. */
  pipelineOf(taskId: string): Promise<Pipeline | null>;
  attempt(attemptId: string): Promise<StoredAttempt | null>;
  /** Oldest first. */
  attemptsOf(taskId: string): Promise<readonly StoredAttempt[]>;
  /** Newest first. `limit` 1 to 1 000; `cursor` from an earlier page of the same filter. */
  tasksOf(userId: string, filter: TaskListFilter, limit: number, cursor: string | null): Promise<TaskPage>;
  eventsOf(taskId: string, afterNumber: number, limit: number): Promise<readonly TaskEvent[]>;
  eventsOfUser(userId: string, afterPosition: number, limit: number): Promise<readonly TaskEvent[]>;
  /** The newest position in the log, 0 for none. */
  lastPosition(): Promise<number>;
  usageOf(userId: string): Promise<Usage>;

  /** A key that was used by this user within the last 24 hours, for a task that is still there: a key whose task was deleted is free. */
  idempotency(userId: string, key: string): Promise<{ readonly taskId: string; readonly bodyHash: string } | null>;

  /** A repeat of a task's submission is about to be answered with the task, which cannot be taken back from then on. False where it is
   *  not there (any more). */
  tell(taskId: string): Promise<boolean>;

  /** Takes waiting tasks into this server's window. A task is never in two windows. */
  claim(request: ClaimRequest): Promise<readonly ClaimedTask[]>;
  /** Waiting tasks outside of windows, by class. Counted incrementally, cheap. */
  backlog(): Promise<readonly ClassBacklog[]>;
  /** Number of waiting tasks of a user, claimed ones included. */
  queuedOf(userId: string): Promise<number>;
  /** Bytes of all large inputs (see `LARGE_INPUT_BYTES`) of a user's tasks, ended ones too until their inputs are gone. */
  inputBytesOf(userId: string): Promise<number>;
  /** At start: every unsettled task that this server held and that has an open attempt, with its open attempts, in batches. What it held
   *  beside them waits again. */
  recover(): AsyncIterable<readonly (ClaimedTask & { readonly open: readonly StoredAttempt[] })[]>;
  /** The task, where this server holds it and it has not settled, with its open attempts; else null. */
  held(taskId: string): Promise<(ClaimedTask & { readonly open: readonly StoredAttempt[] }) | null>;
  /** While it runs: takes over what servers held that are gone and never came back, in batches like those of a start. A batch whose takeover
   *  was broken off comes with the next call, if it came about. Calls do not overlap. Nothing where a store has one server. */
  takeOver(): AsyncIterable<readonly (ClaimedTask & { readonly open: readonly StoredAttempt[] })[]>;
  /** Removes what is kept no longer, and settles waiting tasks that passed their deadline while they were in no window. */
  sweep(options: {
    readonly taskTtlMs: number;
    readonly artifactTtlMs: number;
    /** How long the large inputs of ended tasks are kept. */
    readonly inputTtlMs: number;
    readonly limit: number;
    /** Keys that an earlier sweep reported, and whose bytes are gone. */
    readonly removedKeys: readonly string[];
  }): Promise<{
    readonly deleted: number;
    readonly expired: readonly ExpiredTask[];
    /** Keys of artifacts that no task names any more. Each is reported until it is among the removed ones. */
    readonly artifactKeys: readonly string[];
    /** Large inputs of ended tasks that were removed. */
    readonly inputs: number;
    /** There may be more to take out behind what it looked at. */
    readonly more: boolean;
  }>;

  /** Small named documents of the server itself (the dispatcher's estimates, for one). Text of up to 16 MiB. */
  readDocument(name: string): Promise<string | null>;
  writeDocument(name: string, text: string): Promise<void>;

  /** Rejects while the store cannot be written. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
