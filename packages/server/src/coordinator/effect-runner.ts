import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { DispatcherEffect } from "@genai/dispatcher";
import type { Pipeline } from "@genai/protocol";
import { SlotMap } from "../slot-map.ts";
import type { TaskError, TaskEvent } from "../tasks/stored-task.ts";
import type { ChangeOutcome, StoreChange } from "../tasks/task-store.ts";
import type { Admission } from "./admission.ts";
import type { CoordinatorState } from "./coordinator-state.ts";
import { type LiveAttempt, type LiveTask, newLiveAttempt, uploadsFor } from "./live-task.ts";
import { endAttempt, startAttempt, startResult, startWait } from "./task-spans.ts";

type EffectOf<Type extends DispatcherEffect["type"]> = Extract<DispatcherEffect, { type: Type }>;

/** A sentence for each way to fail that has no error of a node's to show. */
const FAILURE_SENTENCES = {
  task_failed: "The task failed.",
  attempts_exhausted: "Every attempt failed on its node, and the task has no attempts left.",
  nodes_lost: "The task was lost with its node too many times.",
  deadline_exceeded: "The task was not done by its deadline.",
} as const;

/** Carries out what the dispatcher decided: changes for the store in the order of the decisions, and what is said to nodes and
 *  listeners only after their commit. */
export class EffectRunner {
  readonly #state: CoordinatorState;
  readonly #admission: Pick<Admission, "left" | "withdraw" | "reclaim">;
  /** Steps of open attempts (sent, accepted, running, lost) that are not on the disk yet; nothing hangs on them, so they are
   *  written about once a second, and never where the attempt closes before. */
  readonly #steps = new SlotMap<string, StoreChange>();

  /** `admission`: tasks leave the window by their end, before that is on the disk, and when they turn out to be somebody else's. */
  constructor(state: CoordinatorState, admission: Pick<Admission, "left" | "withdraw" | "reclaim">) {
    this.#state = state;
    this.#admission = admission;
  }

  run(effects: readonly DispatcherEffect[]): void {
    for (const effect of effects) this.#run(effect);
  }

  /** Writes down the steps of open attempts. */
  flushSteps(): void {
    for (const change of this.#steps.values()) this.#state.commits.change({ change });
    this.#steps.clear();
  }

  #run(effect: DispatcherEffect): void {
    switch (effect.type) {
      case "send":
        this.#send(effect);
        break;
      case "abort":
        this.#abort(effect);
        break;
      case "attemptChanged":
        this.#attemptChanged(effect);
        break;
      case "requeued":
        this.#requeued(effect);
        break;
      case "settled":
        this.#settled(effect);
        break;
      case "verdict":
        this.#verdict(effect);
        break;
      case "disconnect":
        this.#state.commits.after(() => this.#state.sessions.disconnect(effect.providerId, effect.reason));
        break;
      default:
        effect satisfies never;
    }
  }

  #task(taskId: string): LiveTask {
    const task = this.#state.tasks.get(taskId);
    assert(task !== undefined, `the dispatcher decided about task ${taskId}, which is not in the window`);
    return task;
  }

  #send(effect: EffectOf<"send">): void {
    const { commits, attempts, clock, loop } = this.#state;
    const task = this.#task(effect.taskId);
    const legacy = this.#state.providers.get(effect.providerId)?.legacy ?? false;
    const attempt = newLiveAttempt({
      // The stock node shows the id of its task to its user: its first attempt carries the task's own.
      attemptId: legacy && effect.attempt === 1 ? effect.taskId : randomUUID(),
      taskId: effect.taskId,
      attempt: effect.attempt,
      nodeId: effect.providerId,
      uploads: uploadsFor(task.stored, { legacy }, this.#state.uploadLimits),
    });
    attempts.add(attempt);
    task.attempts.set(attempt.attempt, attempt);
    const atMs = clock.wallMs();
    if (task.stored.state === "queued") this.#state.queued.add(task.stored.userId, -1);
    task.stored.state = "running";
    task.stored.lastAttempt = attempt.attempt;
    task.stored.startedAtMs ??= atMs;
    task.waitSpan.end({ attributes: { "genai.attempt": attempt.attempt } });
    attempt.span = startAttempt(this.#state.tracing, task, attempt);
    commits.change({
      change: {
        type: "attemptOpened",
        attemptId: attempt.attemptId,
        taskId: attempt.taskId,
        attempt: attempt.attempt,
        nodeId: attempt.nodeId,
        legacy,
        cost: effect.cost,
        limitMs: effect.limitMs,
        atMs,
      },
      committed: (outcome) => {
        if (this.#applied(outcome, task) && attempt.open) {
          this.#deliver(task, attempt, effect.limitMs);
          return;
        }
        // It is not ours, or was closed meanwhile. Its node was never told of it, so nobody has to wait until it stops.
        const { taskId, attempt: number, providerId } = effect;
        loop.feed({ type: "rejected", taskId, attempt: number, providerId, reason: "never sent" });
      },
    });
  }

  #deliver(task: LiveTask, attempt: LiveAttempt, limitMs: number): void {
    if (task.pipeline !== null) this.#hand(attempt, task.pipeline, limitMs);
    else void this.#readAndHand(attempt, limitMs);
  }

  async #readAndHand(attempt: LiveAttempt, limitMs: number): Promise<void> {
    const { taskId, attemptId } = attempt;
    let pipeline: Pipeline | null;
    try {
      pipeline = await this.#state.store.pipelineOf(taskId);
    } catch (error) {
      const reason = "pipeline could not be read";
      this.#state.logger.error({ err: error, taskId, attemptId }, reason);
      if (attempt.open) this.#state.loop.feed({ type: "rejected", ...placeOf(attempt), reason });
      return;
    }
    if (attempt.open && pipeline !== null) this.#hand(attempt, pipeline, limitMs);
  }

  #hand(attempt: LiveAttempt, pipeline: Pipeline, limitMs: number): void {
    const { sessions, logger, loop } = this.#state;
    const { taskId, attemptId, nodeId } = attempt;
    sessions.deliver(nodeId, { attemptId, pipeline, limitMs, traceparent: attempt.span.traceparent });
    logger.debug({ taskId, attemptId, nodeId }, "attempt sent");
    loop.feed({ type: "sent", ...placeOf(attempt) });
  }

  #abort(effect: EffectOf<"abort">): void {
    const { attempts, commits, sessions } = this.#state;
    const attempt = attempts.byRef(effect.taskId, effect.attempt);
    if (attempt === null) return;
    attempt.abortReason = effect.reason;
    commits.after(() => sessions.abort(attempt.nodeId, attempt.attemptId, effect.reason));
  }

  #attemptChanged(effect: EffectOf<"attemptChanged">): void {
    const { attempts, commits, clock } = this.#state;
    const attempt = attempts.byRef(effect.taskId, effect.attempt);
    assert(attempt !== null, `attempt ${effect.attempt} of task ${effect.taskId} is unknown`);
    const change: StoreChange = {
      type: "attemptChanged",
      attemptId: attempt.attemptId,
      state: effect.state,
      open: effect.open,
      atMs: clock.wallMs(),
      gpuMs: effect.gpuMs,
      abortReason: attempt.abortReason,
      error: attempt.error,
    };
    if (effect.open) {
      this.#steps.set(attempt.attemptId, change);
      if (effect.state === "running") this.#resumed(attempt);
      return;
    }
    this.#steps.delete(attempt.attemptId);
    attempt.open = false;
    endAttempt(attempt, effect.state);
    this.#discardUploads(attempt, effect.state === "succeeded");
    attempts.retire(attempt);
    this.#state.tallies.closed(attempt.nodeId, effect.state);
    commits.change({ change });
  }

  /** What a closed attempt brought and no result names is of no use to anybody. */
  #discardUploads({ uploads, artifacts }: LiveAttempt, succeeded: boolean): void {
    void uploads.close(succeeded ? artifacts.map(({ key }) => key) : [])?.then((left) => {
      if (left.length > 0) this.#state.discard(left);
    });
  }

  /** A task that waited again, because its node was silent, runs on where it was. */
  #resumed(attempt: LiveAttempt): void {
    const task = this.#state.tasks.get(attempt.taskId);
    if (task === undefined || task.stored.state !== "queued") return;
    task.stored.state = "running";
    task.waitSpan.end();
    this.#state.queued.add(task.stored.userId, -1);
    this.#state.commits.change({
      change: {
        type: "taskResumed",
        taskId: attempt.taskId,
        attempt: attempt.attempt,
        atMs: this.#state.clock.wallMs(),
      },
      committed: (outcome) => void this.#applied(outcome, task),
    });
  }

  #requeued(effect: EffectOf<"requeued">): void {
    const { commits, clock, logger } = this.#state;
    const task = this.#task(effect.taskId);
    const atMs = clock.wallMs();
    if (task.stored.state !== "queued") this.#state.queued.add(task.stored.userId, 1);
    task.stored.state = "queued";
    task.stored.handedBack = true;
    startWait(this.#state.tracing, task, null);
    task.stored.faults = effect.faults;
    task.stored.losses = effect.losses;
    task.stored.failedNodeIds = effect.failedProviderIds;
    task.stored.notBeforeMs = effect.retryInMs === 0 ? 0 : atMs + effect.retryInMs;
    logger.info({ taskId: effect.taskId, reason: effect.reason }, "task waits again");
    commits.change({
      change: {
        type: "taskRequeued",
        taskId: effect.taskId,
        reason: effect.reason,
        attempt: task.stored.lastAttempt,
        faults: effect.faults,
        losses: effect.losses,
        failedNodeIds: effect.failedProviderIds,
        notBeforeMs: task.stored.notBeforeMs,
        atMs,
      },
      committed: (outcome) => void this.#applied(outcome, task),
    });
  }

  #settled(effect: EffectOf<"settled">): void {
    const { commits, clock, logger } = this.#state;
    const task = this.#task(effect.taskId);
    const { settlement } = effect;
    const attempt = settlement.state === "canceled" ? null : settlement.attempt;
    const error: TaskError | null =
      settlement.state === "failed"
        ? {
            code: settlement.code,
            message: this.#errorOf(task, attempt)?.message ?? FAILURE_SENTENCES[settlement.code],
          }
        : null;
    const artifacts = settlement.state === "succeeded" ? (task.attempts.get(settlement.attempt)?.artifacts ?? []) : [];
    const atMs = clock.wallMs();
    if (task.stored.state === "queued") this.#state.queued.add(task.stored.userId, -1);
    task.stored.state = settlement.state;
    task.stored.settledAtMs = atMs;
    task.stored.artifacts = artifacts;
    task.stored.error = error;
    this.#admission.left(task);
    task.waitSpan.end();
    const result = startResult(this.#state.tracing, task, attempt);
    commits.change({
      change: {
        type: "taskSettled",
        taskId: effect.taskId,
        state: settlement.state,
        attempt,
        artifacts,
        error,
        atMs,
      },
      committed: (outcome) => {
        result.end({ failure: outcome.type === "conflict" ? "ended elsewhere" : (error?.code ?? null) });
        if (!this.#applied(outcome, task)) return;
        logger.info(
          { taskId: effect.taskId, state: settlement.state, ...(error === null ? {} : { code: error.code }) },
          "task ended",
        );
        this.#state.waiters.settled({ ...task.stored });
      },
    });
  }

  #verdict(effect: EffectOf<"verdict">): void {
    const { attempts, commits, sessions } = this.#state;
    const attempt = attempts.byRef(effect.taskId, effect.attempt);
    assert(attempt !== null, `attempt ${effect.attempt} of task ${effect.taskId} is unknown`);
    commits.after(() => sessions.acknowledge(attempt.nodeId, attempt.attemptId, effect.verdict));
  }

  /** The error to show for a task: the attempt's that the dispatcher named, else the newest that has one. */
  #errorOf(task: LiveTask, attempt: number | null): TaskError | null {
    const named = attempt === null ? null : (task.attempts.get(attempt)?.error ?? null);
    if (named !== null) return named;
    return [...task.attempts.values()].reverse().find((each) => each.error !== null)?.error ?? null;
  }

  /** Publishes the event that a change wrote. False where its guard failed: somebody else ended or took the task, which leaves the window,
   *  how it ended the store knows and is told. It comes back where the store says that it is this server's after all. */
  #applied(outcome: ChangeOutcome, task: LiveTask): boolean {
    if (outcome.type === "conflict") {
      const { taskId } = task.stored;
      this.#state.logger.warn({ taskId }, "task was taken or ended elsewhere");
      this.#admission.withdraw(task);
      this.#admission.reclaim(taskId, { ...task.stored });
      void this.#state.waiters.lookUp(taskId);
      return false;
    }
    if (outcome.event !== null) this.#publish(task, outcome.event);
    return true;
  }

  #publish(task: LiveTask, event: TaskEvent): void {
    task.stored.eventNumber = event.number;
    this.#state.news.publishEvent(event);
  }
}

function placeOf({ taskId, attempt, nodeId }: LiveAttempt) {
  return { taskId, attempt, providerId: nodeId };
}
