import type { StepResult } from "@genai/dispatcher";
import { NO_SPAN } from "@genai/tracing";
import { inTime } from "../in-time.ts";
import { largeInputBytes } from "../tasks/large-inputs.ts";
import type { NewTask, StoredTask } from "../tasks/stored-task.ts";
import { StoreUnavailable } from "../tasks/task-store.ts";
import { type Admission, classKeyOf } from "./admission.ts";
import { type CoordinatorState, STORE_AWAY_RETRY_MS } from "./coordinator-state.ts";
import { isSmall, type LiveTask, storedAtBirth } from "./live-task.ts";
import type { PendingChange } from "./pending-change.ts";
import type { CancelOutcome, SubmitOutcome } from "./task-service.ts";
import { endSpans, startWait } from "./task-spans.ts";
import { toDispatcherTask } from "./to-dispatcher-task.ts";

/** A key that makes repeats of a submission one task. `bodyHash` tells a repeat from another task under the same key. */
export interface Idempotency {
  readonly key: string;
  readonly bodyHash: string;
}

const UNAVAILABLE = { type: "unavailable", retryAfterMs: STORE_AWAY_RETRY_MS } as const;

/** How long a cancellation is waited for, in milliseconds: longer than its caller waits, who is told that the store is away. */
const CANCEL_MS_MAX = 10_000;

/** What a user with a full queue is told to wait where nothing better is known, in milliseconds: a picture or two. */
const QUEUE_FULL_RETRY_MS = 10_000;

/** Who waits for a submission. */
interface Caller {
  /** False once it was told that the store is away: what has not begun by then does not begin. */
  waits: boolean;
  /** What is on its way to the store for it. */
  submission: PendingChange | null;
}

/** Takes tasks in and cancels them. Whatever the store does, a caller hears of it in time: {@link inTime}. */
export class Submissions {
  readonly #state: CoordinatorState;
  readonly #admission: Admission;
  /** Submissions under way, by user and idempotency key. */
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(state: CoordinatorState, admission: Admission) {
    this.#state = state;
    this.#admission = admission;
  }

  submit(task: NewTask, idempotency: Idempotency | null): Promise<SubmitOutcome> {
    const caller: Caller = { waits: true, submission: null };
    return inTime(this.#submit(task, idempotency, caller), () => {
      caller.waits = false;
      if (caller.submission !== null) this.#state.commits.giveUp(caller.submission);
      return UNAVAILABLE;
    });
  }

  /** Where the store takes too long the caller is told so, and the task is canceled when it is back. */
  cancel(taskId: string): Promise<CancelOutcome> {
    return inTime(unlessAway(this.#cancel(taskId)), () => UNAVAILABLE);
  }

  #submit(task: NewTask, idempotency: Idempotency | null, caller: Caller): Promise<SubmitOutcome> {
    if (this.#state.commits.away) return Promise.resolve(UNAVAILABLE);
    return unlessAway(
      idempotency === null ? this.#submitNew(task, null, caller) : this.#submitOnce(task, idempotency, caller),
    );
  }

  async #submitOnce(task: NewTask, idempotency: Idempotency, caller: Caller): Promise<SubmitOutcome> {
    // One at a time for each key: of parallel repeats the first makes the task and the others find it.
    const name = `${task.userId}\u0000${idempotency.key}`;
    for (let other = this.#underWay.get(name); other !== undefined; other = this.#underWay.get(name)) {
      await other.catch(() => {});
    }
    const submission = this.#lookUpOrSubmit(task, idempotency, caller);
    this.#underWay.set(name, submission);
    try {
      return await submission;
    } finally {
      this.#underWay.delete(name);
    }
  }

  async #lookUpOrSubmit(task: NewTask, idempotency: Idempotency, caller: Caller): Promise<SubmitOutcome> {
    if (!caller.waits) return UNAVAILABLE;
    const earlier = await this.#state.store.idempotency(task.userId, idempotency.key);
    if (earlier === null) return this.#submitNew(task, idempotency, caller);
    if (earlier.bodyHash !== idempotency.bodyHash) return { type: "key_reused" };
    if (this.#state.commits.takesBack(earlier.taskId)) return UNAVAILABLE;
    // Another server may have given the submission up, and takes it back when it can: not after this.
    const stored = (await this.#state.store.tell(earlier.taskId)) ? await this.#state.store.task(earlier.taskId) : null;
    return stored === null ? this.#submitNew(task, idempotency, caller) : { type: "repeated", task: stored };
  }

  #submitNew(task: NewTask, idempotency: Idempotency | null, caller: Caller): Promise<SubmitOutcome> {
    const { inputBytesMax } = this.#state;
    if (inputBytesMax === null || isSmall(task.pipeline)) return this.#admit(task, idempotency, caller);
    const bytes = largeInputBytes(task.pipeline);
    if (bytes === 0) return this.#admit(task, idempotency, caller);
    return this.#admitLarge(task, idempotency, caller, bytes, inputBytesMax);
  }

  /** The input counts from here on, and no more where the task is not stored. */
  async #admitLarge(
    task: NewTask,
    idempotency: Idempotency | null,
    caller: Caller,
    bytes: number,
    inputBytesMax: number,
  ): Promise<SubmitOutcome> {
    const { inputBytes } = this.#state;
    const { userId } = task;
    await inputBytes.look(userId, inputBytesMax - bytes);
    const taken = inputBytes.peek(userId) ?? 0;
    if (taken + bytes > inputBytesMax) {
      const message = `The large inputs of your tasks take ${taken} bytes, and this one ${bytes} more; ${inputBytesMax} are allowed. Those of an ended task go INPUT_TTL after its end, or with the task when you delete it.`;
      return { type: "queue_full", message, retryAfterMs: QUEUE_FULL_RETRY_MS };
    }
    inputBytes.add(userId, bytes);
    let isStored = false;
    try {
      const outcome = await this.#admit(task, idempotency, caller);
      isStored = outcome.type === "stored";
      return outcome;
    } finally {
      if (!isStored) inputBytes.add(userId, -bytes);
    }
  }

  async #admit(task: NewTask, idempotency: Idempotency | null, caller: Caller): Promise<SubmitOutcome> {
    const { commits, queued, userLimits, clock, taskTtlMs, loop } = this.#state;
    const { userId } = task;
    const limits = userLimits(userId);
    const { queuedMax } = limits;
    if (!queued.isWithin(userId, queuedMax - 1)) await queued.look(userId, queuedMax - 1);
    if (!caller.waits || commits.away) return UNAVAILABLE;
    const waiting = queued.peek(userId) ?? 0;
    if (waiting >= queuedMax) {
      const message = `You have ${waiting} waiting tasks; at most ${queuedMax} are allowed.`;
      return { type: "queue_full", message, retryAfterMs: QUEUE_FULL_RETRY_MS };
    }
    this.#admission.announce(userId, limits);
    const live: LiveTask = {
      stored: storedAtBirth(task),
      classKey: classKeyOf(task),
      pipeline: isSmall(task.pipeline) ? task.pipeline : null,
      attempts: new Map(),
      waitSpan: NO_SPAN,
    };
    if (!this.#admission.window.admits(live.classKey, userId))
      return this.#store(task, live, idempotency, null, caller);
    const step = loop.step({ type: "submit", task: toDispatcherTask(live.stored, clock.wallMs(), taskTtlMs) });
    if (step.ok) return this.#store(task, live, idempotency, step, caller);
    const { code, field, message, retryAfterMs } = step.refusal;
    return code === "queue_full" || code === "limit_reached"
      ? { type: "queue_full", message, retryAfterMs: retryAfterMs ?? QUEUE_FULL_RETRY_MS }
      : { type: "refused", field, message };
  }

  /** Stores a task, with what the dispatcher decided about it (`step`) in the same transaction; null where it waits outside of
   *  the window. */
  #store(
    task: NewTask,
    live: LiveTask,
    idempotency: Idempotency | null,
    step: Extract<StepResult, { ok: true }> | null,
    caller: Caller,
  ): Promise<SubmitOutcome> {
    const { commits, queued, news, loop } = this.#state;
    const { window } = this.#admission;
    const { taskId, userId } = task;
    const { classKey } = live;
    queued.add(userId, 1);
    if (step === null) window.staysOutside(classKey, userId);
    else {
      startWait(this.#state.tracing, live, null);
      this.#admission.enter(live);
    }
    const undo = (): void => {
      endSpans(live, "not stored");
      if (step !== null) {
        this.#admission.withdraw(live);
        // Their nodes were never told of them, so nobody has to wait until they stop.
        for (const { attempt, nodeId } of live.attempts.values())
          loop.feed({ type: "rejected", taskId, attempt, providerId: nodeId, reason: "never sent" });
        return;
      }
      queued.add(userId, -1);
      window.neverArrived(classKey);
    };
    return new Promise((resolve, reject) => {
      caller.submission = {
        change: { type: "taskInserted", task, classKey, claimed: step !== null, idempotency },
        committed: (outcome) => {
          if (outcome.type === "conflict") {
            undo();
            // Another server took the key between our look and our commit.
            if (idempotency !== null && outcome.taskId !== null)
              this.#lookUpOrSubmit(task, idempotency, caller).then(resolve, reject);
            else resolve({ type: "refused", field: "taskId", message: `Task ${taskId} exists already.` });
            return;
          }
          if (step === null) {
            window.arrived(classKey);
            this.#admission.refill();
          }
          if (outcome.event !== null) news.publishEvent(outcome.event);
          resolve({ type: "stored", task: { ...live.stored } });
        },
        abandoned: () => {
          undo();
          resolve(UNAVAILABLE);
        },
      };
      commits.change(caller.submission);
      if (step !== null) loop.carryOut(step.effects);
    });
  }

  async #cancel(taskId: string): Promise<CancelOutcome> {
    const { store, tasks, waiters, loop, commits } = this.#state;
    for (;;) {
      if (commits.away) return UNAVAILABLE;
      if (tasks.has(taskId)) {
        const { ended } = waiters.wait(taskId, CANCEL_MS_MAX);
        loop.feed({ type: "cancel", taskId });
        const task = await ended;
        return task === null ? UNAVAILABLE : endedAs(task);
      }
      const stored = await store.task(taskId);
      if (stored === null) return { type: "unknown" };
      if (stored.settledAtMs !== null) return endedAs(stored);
      // It is in the window by now, or its end is on its way to the disk, or it waits outside.
      if (!tasks.has(taskId)) await this.#cancelOutside(stored);
      const after = await store.task(taskId);
      if (after?.settledAtMs != null) {
        waiters.settled(after);
        return endedAs(after);
      }
    }
  }

  /** Cancels a task that waits outside of the window. */
  #cancelOutside(stored: StoredTask): Promise<void> {
    const { commits, news, clock } = this.#state;
    const { taskId, userId } = stored;
    return new Promise((resolve) => {
      commits.change({
        change: {
          type: "taskSettled",
          taskId,
          state: "canceled",
          attempt: null,
          artifacts: [],
          error: null,
          atMs: clock.wallMs(),
        },
        committed: (outcome) => {
          if (outcome.type === "applied") {
            this.#admission.endedOutside(taskId, userId, classKeyOf(stored));
            if (outcome.event !== null) news.publishEvent(outcome.event);
          }
          resolve();
        },
      });
    });
  }
}

/** What became of it, or that the store is away. */
async function unlessAway<Outcome>(work: Promise<Outcome>): Promise<Outcome | typeof UNAVAILABLE> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof StoreUnavailable) return UNAVAILABLE;
    throw error;
  }
}

function endedAs(task: StoredTask): CancelOutcome {
  return { type: task.state === "canceled" ? "canceled" : "ended", task };
}
