import type { Database, Statement } from "better-sqlite3";
import type { TaskEvent } from "../../tasks/stored-task.ts";
import type { ChangeOutcome, StoreChange } from "../../tasks/task-store.ts";
import { changeEvent } from "../change-event.ts";
import type { StoreClock } from "../store-clock.ts";
import { encodeList, encodeSpec, orderMs, ROW_FORMAT, STATE_NUMBER } from "../task-row.ts";
import type { EventLog } from "./event-log.ts";
import { HeldTasks, type OpenAttempt, type TaskHead } from "./held-tasks.ts";
import type { Names } from "./names.ts";
import type { Tallies } from "./tallies.ts";
import { TaskRemover } from "./task-remover.ts";

/** How long a key of idempotency counts, in milliseconds: 24 hours. */
export const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000;

const QUEUED = STATE_NUMBER.queued;
const RUNNING = STATE_NUMBER.running;

const CONFLICT: ChangeOutcome = { type: "conflict", taskId: null };

/** Applies changes inside of the caller's transaction. A change whose guard fails writes nothing and stops nobody. */
export class ChangeWriter {
  readonly #names: { readonly users: Names; readonly classes: Names };
  readonly #tallies: Tallies;
  readonly #events: EventLog;
  readonly #clock: StoreClock;
  readonly #held = new HeldTasks();
  readonly #remover: TaskRemover;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(
    database: Database,
    parts: { readonly users: Names; readonly classes: Names; readonly tallies: Tallies; readonly events: EventLog },
    clock: StoreClock,
  ) {
    this.#sql = prepare(database);
    this.#names = parts;
    this.#tallies = parts.tallies;
    this.#events = parts.events;
    this.#clock = clock;
    this.#remover = new TaskRemover(database);
  }

  /** After a rollback, and where somebody else wrote what is held. */
  forget(): void {
    this.#held.forget();
  }

  apply(change: StoreChange): ChangeOutcome {
    switch (change.type) {
      case "taskInserted":
        return this.#insertTask(change);
      case "attemptOpened":
        return this.#openAttempt(change);
      case "attemptChanged":
        return this.#changeAttempt(change);
      case "taskRequeued":
        return this.#requeue(change);
      case "taskResumed":
        return this.#resume(change);
      case "taskSettled":
        return this.#settle(change);
      case "claimReleased":
        for (const taskId of change.taskIds) this.#release(taskId);
        return { type: "applied", event: null };
      case "taskDeleted":
        return this.#delete(change.taskId);
      case "submissionTakenBack":
        return this.#takeBack(change.taskId);
    }
  }

  /** Somebody is told of a task that is there. */
  tell(taskId: string): boolean {
    return this.#sql.tell.run(taskId).changes > 0;
  }

  #insertTask(change: Extract<StoreChange, { type: "taskInserted" }>): ChangeOutcome {
    const { task, idempotency } = change;
    const userSeq = this.#names.users.numberOf(task.userId);
    const now = this.#clock();
    if (idempotency) {
      const held = this.#sql.findKey.get(userSeq, idempotency.key, now - IDEMPOTENCY_MS);
      if (held) return { type: "conflict", taskId: held.taskId };
    }
    const classSeq = this.#names.classes.numberOf(change.classKey);
    const claimed = change.claimed ? 1 : 0;
    const { changes, lastInsertRowid } = this.#sql.insertTask.run(
      task.taskId,
      userSeq,
      classSeq,
      claimed,
      task.createdAtMs,
      orderMs(task),
      task.maxCost,
      task.deadlineAtMs,
      task.webhook,
      encodeSpec(task),
    );
    if (changes === 0) return { type: "conflict", taskId: task.taskId };
    const seq = Number(lastInsertRowid);
    this.#sql.insertPipeline.run(seq, JSON.stringify(task.pipeline));
    if (idempotency) this.#sql.putKey.run(userSeq, idempotency.key, task.taskId, idempotency.bodyHash, now);
    this.#tallies.tasks(userSeq, QUEUED, 1);
    if (!change.claimed) this.#tallies.unclaimed(classSeq, 1);
    const { userId, webhook } = task;
    const head = { seq, userSeq, userId, classSeq, webhook, state: QUEUED, claimed, eventNumber: 0 };
    if (change.claimed) this.#held.holdTask(task.taskId, head);
    return this.#log(head, task.taskId, change);
  }

  #openAttempt(change: Extract<StoreChange, { type: "attemptOpened" }>): ChangeOutcome {
    const task = this.#unsettled(change.taskId);
    if (!task) return CONFLICT;
    const { changes } = this.#sql.insertAttempt.run(
      task.seq,
      change.attempt,
      change.attemptId,
      change.nodeId,
      change.legacy ? 1 : 0,
      change.cost,
      change.limitMs,
      change.atMs,
    );
    if (changes === 0) {
      // The same one again, by somebody who did not hear that it was committed.
      const held = this.#sql.findOpenAttempt.get(change.attemptId);
      return held?.taskSeq === task.seq && held.attempt === change.attempt
        ? { type: "applied", event: null }
        : CONFLICT;
    }
    const { seq: taskSeq, userSeq } = task;
    this.#held.holdAttempt(change.attemptId, {
      taskSeq,
      userSeq,
      attempt: change.attempt,
      cost: change.cost,
      gpuMs: 0,
    });
    this.#sql.startTask.run(change.attempt, change.atMs, task.eventNumber + 1, task.seq);
    this.#moved(change.taskId, task, RUNNING, 1);
    return this.#log(task, change.taskId, change);
  }

  #changeAttempt(change: Extract<StoreChange, { type: "attemptChanged" }>): ChangeOutcome {
    const attempt = this.#held.attempt(change.attemptId) ?? this.#sql.findOpenAttempt.get(change.attemptId);
    if (!attempt) return CONFLICT;
    const { changes } = this.#sql.changeAttempt.run(
      change.state,
      change.open ? 1 : 0,
      change.open ? null : change.atMs,
      change.gpuMs,
      change.abortReason,
      change.error === null ? null : JSON.stringify(change.error),
      attempt.taskSeq,
      attempt.attempt,
      change.attemptId,
    );
    // Its task was deleted under it, and another may have its number by now.
    if (changes === 0) return CONFLICT;
    const cost = change.state === "succeeded" ? attempt.cost : 0;
    this.#tallies.usage(attempt.userSeq, change.gpuMs - attempt.gpuMs, cost);
    attempt.gpuMs = change.gpuMs;
    if (change.open) this.#held.holdAttempt(change.attemptId, attempt);
    else this.#held.leaveAttempt(change.attemptId);
    return { type: "applied", event: null };
  }

  #requeue(change: Extract<StoreChange, { type: "taskRequeued" }>): ChangeOutcome {
    const task = this.#unsettled(change.taskId);
    if (!task) return CONFLICT;
    this.#sql.requeueTask.run(
      change.faults,
      change.losses,
      encodeList(change.failedNodeIds),
      change.notBeforeMs,
      task.eventNumber + 1,
      task.seq,
    );
    this.#moved(change.taskId, task, QUEUED, task.claimed);
    return this.#log(task, change.taskId, change);
  }

  #resume(change: Extract<StoreChange, { type: "taskResumed" }>): ChangeOutcome {
    const task = this.#unsettled(change.taskId);
    if (!task) return CONFLICT;
    this.#sql.resumeTask.run(task.eventNumber + 1, task.seq);
    this.#moved(change.taskId, task, RUNNING, 1);
    return this.#log(task, change.taskId, change);
  }

  #settle(change: Extract<StoreChange, { type: "taskSettled" }>): ChangeOutcome {
    const task = this.#unsettled(change.taskId);
    if (!task) return CONFLICT;
    this.#sql.settleTask.run(
      STATE_NUMBER[change.state],
      change.atMs,
      change.artifacts.some((artifact) => artifact.key !== null) ? 1 : 0,
      encodeList(change.artifacts),
      change.error === null ? null : JSON.stringify(change.error),
      task.eventNumber + 1,
      task.seq,
    );
    if (task.webhook !== null) this.#sql.insertOutbox.run(task.seq, change.atMs, this.#clock());
    this.#moved(change.taskId, task, STATE_NUMBER[change.state], 0);
    return this.#log(task, change.taskId, change);
  }

  #release(taskId: string): void {
    this.#held.leaveTask(taskId);
    const task = this.#sql.findTask.get(taskId);
    if (task?.state !== QUEUED || task.claimed === 0) return;
    this.#sql.releaseTask.run(task.seq);
    this.#tallies.unclaimed(task.classSeq, 1);
  }

  #delete(taskId: string): ChangeOutcome {
    const task = this.#sql.findTask.get(taskId);
    if (!task || task.state === QUEUED || task.state === RUNNING) return CONFLICT;
    this.#remover.remove(task.seq);
    return { type: "applied", event: null };
  }

  #takeBack(taskId: string): ChangeOutcome {
    const task = this.#sql.findUntold.get(taskId);
    if (!task) return CONFLICT;
    this.#remover.remove(task.seq);
    this.#held.leaveTask(taskId);
    this.#tallies.tasks(task.userSeq, task.state, -1);
    if (task.state === QUEUED && task.claimed === 0) this.#tallies.unclaimed(task.classSeq, -1);
    return { type: "applied", event: null };
  }

  #unsettled(taskId: string): TaskHead | undefined {
    const task = this.#held.task(taskId) ?? this.#sql.findTask.get(taskId);
    return task && (task.state === QUEUED || task.state === RUNNING) ? task : undefined;
  }

  #moved(taskId: string, task: TaskHead, state: number, claimed: number): void {
    if (task.state !== state) {
      this.#tallies.tasks(task.userSeq, task.state, -1);
      this.#tallies.tasks(task.userSeq, state, 1);
    }
    if (task.state === QUEUED && task.claimed === 0) this.#tallies.unclaimed(task.classSeq, -1);
    if (state === QUEUED && claimed === 0) this.#tallies.unclaimed(task.classSeq, 1);
    task.state = state;
    task.claimed = claimed;
    if (claimed === 1) this.#held.holdTask(taskId, task);
    else this.#held.leaveTask(taskId);
  }

  #log(task: TaskHead, taskId: string, change: StoreChange): ChangeOutcome {
    const news = changeEvent(change);
    let event: TaskEvent | null = null;
    if (news) {
      const number = task.eventNumber + 1;
      task.eventNumber = number;
      event = this.#events.append(task.seq, task.userSeq, { taskId, userId: task.userId, number, ...news });
    }
    return { type: "applied", event };
  }
}

function prepare(database: Database) {
  const statement = <Row = unknown>(sql: string): Statement<unknown[], Row> => database.prepare<unknown[], Row>(sql);
  return {
    findTask: statement<TaskHead>(
      `SELECT seq, tasks.user_seq AS userSeq, user_id AS userId, class_seq AS classSeq, state, claimed, event_number AS eventNumber, webhook
       FROM tasks JOIN users USING (user_seq) WHERE task_id = ? AND format <= ${ROW_FORMAT}`,
    ),
    findUntold: statement<Pick<TaskHead, "seq" | "userSeq" | "classSeq" | "state" | "claimed">>(
      `SELECT seq, user_seq AS userSeq, class_seq AS classSeq, state, claimed FROM tasks
       WHERE task_id = ? AND format <= ${ROW_FORMAT} AND state <= ${RUNNING} AND told = 0`,
    ),
    tell: statement("UPDATE tasks SET told = 1 WHERE task_id = ?"),
    insertTask: statement(
      `INSERT INTO tasks (task_id, user_seq, class_seq, format, state, claimed, event_number, created_at_ms, fresh, order_ms,
         max_cost, not_before_ms, deadline_at_ms, last_attempt, faults, losses, webhook, spec)
       VALUES (?, ?, ?, ${ROW_FORMAT}, ${QUEUED}, ?, 1, ?, 1, ?, ?, 0, ?, 0, 0, 0, ?, ?) ON CONFLICT (task_id) DO NOTHING`,
    ),
    insertPipeline: statement("INSERT INTO pipelines (task_seq, pipeline) VALUES (?, ?)"),
    findKey: statement<{ taskId: string }>(
      // A key whose task was deleted is free.
      `SELECT task_id AS taskId FROM idempotency_keys JOIN tasks USING (task_id)
       WHERE idempotency_keys.user_seq = ? AND key = ? AND idempotency_keys.created_at_ms > ?`,
    ),
    putKey: statement(
      "INSERT OR REPLACE INTO idempotency_keys (user_seq, key, task_id, body_hash, created_at_ms) VALUES (?, ?, ?, ?, ?)",
    ),
    insertAttempt: statement(
      `INSERT INTO attempts (task_seq, attempt, attempt_id, node_id, legacy, cost, limit_ms, state, open, opened_at_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, 'assigned', 1, ?) ON CONFLICT DO NOTHING`,
    ),
    startTask: statement(
      `UPDATE tasks SET state = ${RUNNING}, claimed = 1, last_attempt = max(last_attempt, ?),
         started_at_ms = coalesce(started_at_ms, ?), event_number = ? WHERE seq = ?`,
    ),
    findOpenAttempt: statement<OpenAttempt>(
      `SELECT task_seq AS taskSeq, attempt, cost, gpu_ms AS gpuMs, user_seq AS userSeq
       FROM attempts JOIN tasks ON tasks.seq = attempts.task_seq WHERE attempt_id = ? AND open = 1`,
    ),
    changeAttempt: statement(
      `UPDATE attempts SET state = ?, open = ?, closed_at_ms = ?, gpu_ms = ?, abort_reason = ?, error = ?
       WHERE task_seq = ? AND attempt = ? AND attempt_id = ?`,
    ),
    requeueTask: statement(
      `UPDATE tasks SET state = ${QUEUED}, fresh = 0, faults = ?, losses = ?, failed_node_ids = ?, not_before_ms = ?,
         event_number = ? WHERE seq = ?`,
    ),
    resumeTask: statement(`UPDATE tasks SET state = ${RUNNING}, claimed = 1, event_number = ? WHERE seq = ?`),
    settleTask: statement(
      `UPDATE tasks SET state = ?, claimed = 0, settled_at_ms = ?, keeps_artifacts = ?, artifacts = ?, error = ?,
         event_number = ? WHERE seq = ?`,
    ),
    insertOutbox: statement("INSERT OR IGNORE INTO outbox (task_seq, created_at_ms, due_at_ms) VALUES (?, ?, ?)"),
    releaseTask: statement("UPDATE tasks SET claimed = 0 WHERE seq = ?"),
  };
}
