import type { Pipeline } from "@genai/protocol";
import { changeEvent } from "../../../src/storage/change-event.ts";
import { deadlineExceeded } from "../../../src/storage/deadline-exceeded.ts";
import { matchesFilter } from "../../../src/storage/task-filter.ts";
import { webhookBody } from "../../../src/storage/webhook-body.ts";
import { LARGE_INPUT_BYTES } from "../../../src/tasks/large-inputs.ts";
import { restLeftMs } from "../../../src/tasks/rest.ts";
import type { StoredAttempt, StoredTask, TaskEvent } from "../../../src/tasks/stored-task.ts";
import type {
  ChangeOutcome,
  ClaimedTask,
  ClaimRequest,
  StoreChange,
  TaskListFilter,
  TaskStore,
} from "../../../src/tasks/task-store.ts";
import type { DeliveryStore, OutboxEntry, TryOutcome } from "../../../src/webhooks/delivery-store.ts";
import { storedTask } from "../../support/stored-task.ts";

interface Held {
  task: StoredTask;
  /** Null once a large input is kept no longer. */
  pipeline: Pipeline | null;
  readonly classKey: string;
  readonly place: number;
  claimed: boolean;
  told: boolean;
  hook: { dueAtMs: number | null; tries: number; createdAtMs: number } | null;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const CONFLICT: ChangeOutcome = { type: "conflict", taskId: null };

/** What a store is, said as plainly as possible: maps and loops, no disk, no index, no speed. */
export class ModelTaskStore implements TaskStore, Pick<DeliveryStore, "outboxDue" | "outboxTried"> {
  readonly tasks = new Map<string, Held>();
  readonly attempts = new Map<string, StoredAttempt>();
  readonly #events: TaskEvent[] = [];
  readonly #keys = new Map<string, { taskId: string; bodyHash: string; atMs: number }>();
  readonly #documents = new Map<string, string>();
  readonly #usage = new Map<string, { tasks: Record<StoredTask["state"], number>; gpuMs: number; cost: number }>();
  #orphans: string[] = [];
  #orphanCursor = "";
  #position = 0;
  #places = 0;

  async commit(changes: readonly StoreChange[]): Promise<readonly ChangeOutcome[]> {
    return changes.map((change) => this.#apply(change));
  }

  #apply(change: StoreChange): ChangeOutcome {
    switch (change.type) {
      case "taskInserted":
        return this.#insert(change);
      case "attemptOpened":
        return this.#open(change);
      case "attemptChanged": {
        const attempt = this.attempts.get(change.attemptId);
        if (!attempt?.open) return CONFLICT;
        const { state, open, gpuMs, abortReason, error } = change;
        const closedAtMs = open ? null : change.atMs;
        this.attempts.set(change.attemptId, { ...attempt, state, open, gpuMs, abortReason, error, closedAtMs });
        const usage = this.#usageOf(this.tasks.get(attempt.taskId)?.task.userId ?? "");
        usage.gpuMs += gpuMs - attempt.gpuMs;
        if (state === "succeeded") usage.cost += attempt.cost;
        return { type: "applied", event: null };
      }
      case "taskRequeued": {
        const { faults, losses, failedNodeIds, notBeforeMs } = change;
        return this.#move(change, { state: "queued", handedBack: true, faults, losses, failedNodeIds, notBeforeMs });
      }
      case "taskResumed":
        return this.#move(change, { state: "running" }, true);
      case "taskSettled": {
        const { state, artifacts, error, atMs } = change;
        const outcome = this.#move(change, { state, artifacts, error, settledAtMs: atMs }, false);
        const held = this.tasks.get(change.taskId);
        if (outcome.type === "applied" && held?.task.webhook) {
          held.hook = { dueAtMs: Date.now(), tries: 0, createdAtMs: atMs };
        }
        return outcome;
      }
      case "claimReleased":
        for (const taskId of change.taskIds) {
          const held = this.tasks.get(taskId);
          if (held?.task.state === "queued") held.claimed = false;
        }
        return { type: "applied", event: null };
      case "taskDeleted":
        return this.#delete(change.taskId);
      case "submissionTakenBack": {
        const held = this.#unsettled(change.taskId);
        if (!held || held.told) return CONFLICT;
        this.#usageOf(held.task.userId).tasks[held.task.state] -= 1;
        return this.#remove(held);
      }
    }
  }

  #insert(change: Extract<StoreChange, { type: "taskInserted" }>): ChangeOutcome {
    const { pipeline, ...task } = change.task;
    const key = change.idempotency && `${task.userId}\n${change.idempotency.key}`;
    const used = key === null ? undefined : this.#keys.get(key);
    if (used && used.atMs > Date.now() - DAY_MS && this.tasks.has(used.taskId))
      return { type: "conflict", taskId: used.taskId };
    if (this.tasks.has(task.taskId)) return { type: "conflict", taskId: task.taskId };
    if (key !== null && change.idempotency) {
      this.#keys.set(key, { taskId: task.taskId, bodyHash: change.idempotency.bodyHash, atMs: Date.now() });
    }
    this.tasks.set(task.taskId, {
      pipeline,
      classKey: change.classKey,
      place: this.#places++,
      claimed: change.claimed,
      told: false,
      hook: null,
      // The move below writes its first event.
      task: { ...storedTask(change.task), eventNumber: 0 },
    });
    this.#usageOf(task.userId).tasks.queued += 1;
    return this.#move({ ...change, taskId: task.taskId }, {});
  }

  #open(change: Extract<StoreChange, { type: "attemptOpened" }>): ChangeOutcome {
    const held = this.#unsettled(change.taskId);
    const { type, atMs, ...attempt } = change;
    const used = [...this.attempts.values()].some(
      (other) =>
        other.attemptId === attempt.attemptId || (other.taskId === attempt.taskId && other.attempt === attempt.attempt),
    );
    const again = this.attempts.get(attempt.attemptId);
    if (held && again?.open && again.taskId === attempt.taskId && again.attempt === attempt.attempt) {
      return { type: "applied", event: null };
    }
    if (!held || used) return CONFLICT;
    this.attempts.set(attempt.attemptId, {
      ...attempt,
      state: "assigned",
      open: true,
      openedAtMs: atMs,
      closedAtMs: null,
      gpuMs: 0,
      abortReason: null,
      error: null,
    });
    const lastAttempt = Math.max(held.task.lastAttempt, attempt.attempt);
    return this.#move(change, { state: "running", lastAttempt, startedAtMs: held.task.startedAtMs ?? atMs }, true);
  }

  #move(change: StoreChange & { taskId: string }, over: Partial<StoredTask>, claimed?: boolean): ChangeOutcome {
    const held = this.#unsettled(change.taskId);
    const news = changeEvent(change);
    if (!held || !news) return CONFLICT;
    const { taskId, userId, state } = held.task;
    const number = held.task.eventNumber + 1;
    held.task = { ...held.task, ...over, eventNumber: number };
    held.claimed = claimed ?? held.claimed;
    const tasks = this.#usageOf(userId).tasks;
    tasks[state] -= 1;
    tasks[held.task.state] += 1;
    this.#position += 1;
    const event = { position: this.#position, taskId, userId, number, ...news };
    this.#events.push(event);
    return { type: "applied", event };
  }

  #delete(taskId: string): ChangeOutcome {
    const held = this.tasks.get(taskId);
    return held && !this.#unsettled(taskId) ? this.#remove(held) : CONFLICT;
  }

  #remove(held: Held): ChangeOutcome {
    const { taskId } = held.task;
    this.#orphans.push(...held.task.artifacts.flatMap(({ key }) => (key === null ? [] : [key])));
    this.tasks.delete(taskId);
    for (const attempt of this.attempts.values())
      if (attempt.taskId === taskId) this.attempts.delete(attempt.attemptId);
    for (let index = this.#events.length - 1; index >= 0; index--) {
      if (this.#events[index]?.taskId === taskId) this.#events.splice(index, 1);
    }
    return { type: "applied", event: null };
  }

  #unsettled(taskId: string): Held | null {
    const held = this.tasks.get(taskId);
    return held && (held.task.state === "queued" || held.task.state === "running") ? held : null;
  }

  #usageOf(userId: string) {
    let usage = this.#usage.get(userId);
    if (!usage) {
      usage = { tasks: { queued: 0, running: 0, succeeded: 0, failed: 0, canceled: 0 }, gpuMs: 0, cost: 0 };
      this.#usage.set(userId, usage);
    }
    return usage;
  }

  async task(taskId: string) {
    return this.tasks.get(taskId)?.task ?? null;
  }

  async pipelineOf(taskId: string) {
    return this.tasks.get(taskId)?.pipeline ?? null;
  }

  async attempt(attemptId: string) {
    return this.attempts.get(attemptId) ?? null;
  }

  async attemptsOf(taskId: string) {
    return [...this.attempts.values()]
      .filter((attempt) => attempt.taskId === taskId)
      .sort((a, b) => a.attempt - b.attempt);
  }

  async tasksOf(userId: string, filter: TaskListFilter, limit: number, cursor: string | null) {
    const tasks = [...this.tasks.values()]
      .map((held) => held.task)
      .filter(
        (task) => task.userId === userId && (cursor === null || task.taskId < cursor) && matchesFilter(task, filter),
      )
      .sort((a, b) => (a.taskId < b.taskId ? 1 : -1));
    const page = tasks.slice(0, limit);
    return { tasks: page, next: tasks.length > limit ? (page.at(-1)?.taskId ?? null) : null };
  }

  async eventsOf(taskId: string, afterNumber: number, limit: number) {
    return this.#events.filter((event) => event.taskId === taskId && event.number > afterNumber).slice(0, limit);
  }

  async eventsOfUser(userId: string, afterPosition: number, limit: number) {
    return this.#events.filter((event) => event.userId === userId && event.position > afterPosition).slice(0, limit);
  }

  async lastPosition() {
    return this.#position;
  }

  async usageOf(userId: string) {
    return structuredClone(this.#usageOf(userId));
  }

  async idempotency(userId: string, key: string) {
    const held = this.#keys.get(`${userId}\n${key}`);
    const isHeld = held !== undefined && held.atMs > Date.now() - DAY_MS && this.tasks.has(held.taskId);
    return isHeld ? { taskId: held.taskId, bodyHash: held.bodyHash } : null;
  }

  /** Tasks that a claim may take, by user, each user's in order. */
  eligible({ classKeys, costMin }: ClaimRequest): Map<string, Held[]> {
    const byUser = new Map<string, Held[]>();
    for (const held of this.tasks.values()) {
      const { task } = held;
      if (task.state !== "queued" || held.claimed || !classKeys.includes(held.classKey)) continue;
      if (task.maxCost < costMin || restLeftMs(task, Date.now()) > 0) continue;
      byUser.set(task.userId, [...(byUser.get(task.userId) ?? []), held]);
    }
    const orderMs = ({ task }: Held) => task.createdAtMs - task.priority * 60_000;
    for (const waiting of byUser.values()) {
      waiting.sort(
        (a, b) => Number(b.task.handedBack) - Number(a.task.handedBack) || orderMs(a) - orderMs(b) || a.place - b.place,
      );
    }
    return byUser;
  }

  async claim(request: ClaimRequest): Promise<readonly ClaimedTask[]> {
    const queues = [...this.eligible(request).values()];
    const claimed: Held[] = [];
    for (let round = 0; queues.some((queue) => queue[round]); round++) {
      for (const queue of queues) {
        const held = queue[round];
        if (held && claimed.length < request.limit) claimed.push(held);
      }
    }
    for (const held of claimed) held.claimed = true;
    return claimed.map(({ task, classKey }) => ({ task, classKey }));
  }

  async backlog() {
    const counts = new Map<string, number>();
    for (const { task, claimed, classKey } of this.tasks.values()) {
      if (task.state === "queued" && !claimed) counts.set(classKey, (counts.get(classKey) ?? 0) + 1);
    }
    return [...counts].map(([classKey, unclaimed]) => ({ classKey, unclaimed }));
  }

  async tell(taskId: string) {
    const held = this.tasks.get(taskId);
    if (held) held.told = true;
    return held !== undefined;
  }

  async held(taskId: string) {
    const held = this.#unsettled(taskId);
    if (!held?.claimed) return null;
    const open = (await this.attemptsOf(taskId)).filter((attempt) => attempt.open);
    return { task: held.task, classKey: held.classKey, open };
  }

  async queuedOf(userId: string) {
    return this.#usageOf(userId).tasks.queued;
  }

  async inputBytesOf(userId: string) {
    const held = [...this.tasks.values()].filter(({ task }) => task.userId === userId);
    return held.reduce((sum, { pipeline }) => sum + inputBytes(pipeline), 0);
  }

  async *takeOver() {}

  async *recover() {
    const batch = [];
    for (const held of this.tasks.values()) {
      if (!held.claimed) continue;
      const open = (await this.attemptsOf(held.task.taskId)).filter((attempt) => attempt.open);
      if (open.length > 0 || held.task.state === "running")
        batch.push({ task: held.task, classKey: held.classKey, open });
      else held.claimed = false;
    }
    if (batch.length > 0) yield batch;
  }

  async sweep({ taskTtlMs, artifactTtlMs, inputTtlMs, limit, removedKeys }: Parameters<TaskStore["sweep"]>[0]) {
    const now = Date.now();
    this.#orphans = this.#orphans.filter((key) => !removedKeys.includes(key));
    const waiting = [...this.tasks.values()].filter((held) => held.task.state === "queued" && !held.claimed);
    const late = waiting
      .filter(({ task }) => (task.deadlineAtMs ?? task.createdAtMs + taskTtlMs) <= now)
      .slice(0, limit);
    const expired = late.flatMap(({ task, classKey }) => {
      const outcome = this.#apply(deadlineExceeded(task.taskId, now));
      return outcome.type === "applied" && outcome.event ? [{ event: outcome.event, classKey }] : [];
    });
    const old = [...this.tasks.values()].filter(
      ({ task }) => task.settledAtMs !== null && task.settledAtMs < now - taskTtlMs,
    );
    for (const { task } of old.slice(0, limit)) this.#delete(task.taskId);
    for (const held of this.tasks.values()) {
      if (held.task.settledAtMs === null || held.task.settledAtMs >= now - artifactTtlMs) continue;
      this.#orphans.push(...held.task.artifacts.flatMap(({ key }) => (key === null ? [] : [key])));
      held.task = { ...held.task, artifacts: held.task.artifacts.map((artifact) => ({ ...artifact, key: null })) };
    }
    let inputs = 0;
    for (const held of this.tasks.values()) {
      if (held.task.settledAtMs === null || held.task.settledAtMs >= now - inputTtlMs) continue;
      if (inputs === limit || inputBytes(held.pipeline) === 0) continue;
      held.pipeline = null;
      inputs += 1;
    }
    const behind = this.#orphans.filter((key) => key > this.#orphanCursor).sort();
    const artifactKeys = behind.slice(0, limit);
    this.#orphanCursor = behind.length < limit ? "" : (artifactKeys.at(-1) ?? "");
    return { deleted: Math.min(old.length, limit), expired, artifactKeys, inputs, more: old.length > limit };
  }

  async outboxDue(limit: number, leaseMs: number): Promise<readonly OutboxEntry[]> {
    const now = Date.now();
    return [...this.tasks.values()]
      .filter(({ hook }) => hook?.dueAtMs !== null && hook && hook.dueAtMs <= now)
      .slice(0, limit)
      .map(({ task, hook }) => {
        if (!hook) throw new Error("Filtered above.");
        hook.dueAtMs = now + leaseMs;
        const { taskId, userId } = task;
        const { tries, createdAtMs } = hook;
        return {
          outboxId: taskId,
          taskId,
          userId,
          url: task.webhook ?? "",
          body: webhookBody(task),
          createdAtMs,
          tries,
        };
      });
  }

  async outboxTried(outboxId: string, { state, retryInMs }: TryOutcome) {
    const hook = this.tasks.get(outboxId)?.hook;
    if (!hook) return;
    hook.dueAtMs = state === "waiting" ? Date.now() + retryInMs : null;
    hook.tries += 1;
  }

  async readDocument(name: string) {
    return this.#documents.get(name) ?? null;
  }

  async writeDocument(name: string, text: string) {
    this.#documents.set(name, text);
  }

  async ping() {}

  async close() {}
}

/** What the text of a large input takes, in bytes; 0 of others. */
function inputBytes(pipeline: Pipeline | null): number {
  const bytes = pipeline === null ? 0 : Buffer.byteLength(JSON.stringify(pipeline));
  return bytes > LARGE_INPUT_BYTES ? bytes : 0;
}
