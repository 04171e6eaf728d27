import type { NewTask, StoredTask, TaskEvent } from "../tasks/stored-task.ts";

/** What came of a submission; nobody is told before the commit. */
export type SubmitOutcome =
  | { readonly type: "stored"; readonly task: StoredTask }
  /** The idempotency key was used for the same body: the task as it is now. */
  | { readonly type: "repeated"; readonly task: StoredTask }
  /** The key was used for another body. */
  | { readonly type: "key_reused" }
  | { readonly type: "queue_full"; readonly message: string; readonly retryAfterMs: number }
  | { readonly type: "refused"; readonly field: string; readonly message: string }
  /** The store is away; nothing was acknowledged. */
  | { readonly type: "unavailable"; readonly retryAfterMs: number };

export type CancelOutcome =
  | { readonly type: "canceled"; readonly task: StoredTask }
  /** It had ended before. */
  | { readonly type: "ended"; readonly task: StoredTask }
  | { readonly type: "unknown" }
  | { readonly type: "unavailable"; readonly retryAfterMs: number };

/** Live news of a task. State events are numbered and stored; the others are live only, the latest wins. */
export type TaskNews =
  /** All entries of the log behind `toldAfter` were told, up to this one. */
  | { readonly type: "event"; readonly event: TaskEvent; readonly toldAfter: number }
  | {
      readonly type: "progress";
      readonly taskId: string;
      readonly userId: string;
      readonly attempt: number;
      readonly value: number;
      readonly stage: string;
    }
  | {
      readonly type: "preview";
      readonly taskId: string;
      readonly userId: string;
      readonly attempt: number;
      readonly mime: string;
      readonly bytes: Uint8Array;
    };

/** Somebody waits for the end of a task. */
export interface EndWait {
  /** The task once it has ended, or null when the time is up or the wait was given up. */
  readonly ended: Promise<StoredTask | null>;
  readonly giveUp: () => void;
}

/** What the HTTP side asks of the coordinator. Reads go to the store itself. */
export interface TaskService {
  submit(
    task: NewTask,
    idempotency: { readonly key: string; readonly bodyHash: string } | null,
  ): Promise<SubmitOutcome>;
  /** Idempotent. */
  cancel(taskId: string): Promise<CancelOutcome>;
  /** Waits for a task's end. A caller that hangs up cancels nothing. */
  awaitEnd(taskId: string, timeoutMs: number): EndWait;
  /** Calls `listener` on each news of one task (`task:<id>`) or of all tasks of a user (`user:<id>`). Returns the end of it. */
  subscribe(topic: `task:${string}` | `user:${string}`, listener: (news: TaskNews) => void): () => void;
}
