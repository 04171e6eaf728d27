import type { AttemptRef, DispatcherInput, Provider } from "@genai/dispatcher";
import type { Metrics, Verdict } from "@genai/protocol";
import type { AttemptUploads } from "../artifacts/attempt-uploads.ts";
import type { TaskArtifact } from "../tasks/stored-task.ts";
import { StoreUnavailable } from "../tasks/task-store.ts";
import type { Admission } from "./admission.ts";
import type { CoordinatorState } from "./coordinator-state.ts";
import { DrainedNodes } from "./drained-nodes.ts";
import type { LiveAttempt, LiveTask } from "./live-task.ts";
import type { Held, Joined, NodeEvents } from "./node-events.ts";

/** Hears what nodes say. A node is believed only about attempts that were given to it. */
export class NodeDesk implements NodeEvents {
  readonly #state: CoordinatorState;
  readonly #admission: Admission;
  readonly #drained = new DrainedNodes();
  /** Of the nodes in `providers`: the process that each is. */
  readonly #bootIds = new Map<string, string | null>();
  #stopping = false;

  constructor(state: CoordinatorState, admission: Admission) {
    this.#state = state;
    this.#admission = admission;
  }

  /** The server stops. Nodes are given no more, since it would be lost; and where a connection of a legacy node ends, with all that the
   *  node runs, that is our doing: nothing of it is heard, and the next process finds it in the store as after a kill, at no charge. */
  stop(): void {
    this.#stopping = true;
    for (const nodeId of this.#state.providers.keys()) this.#state.loop.feed({ type: "drain", providerId: nodeId });
  }

  nodeJoined(provider: Provider, held: readonly Held[], bootId: string | null = null): Promise<Joined> {
    const { providers, loop, commits, logger } = this.#state;
    const nodeId = provider.providerId;
    const mine = held
      .flatMap(({ attemptId }) => this.#attemptOf(nodeId, attemptId) ?? [])
      .filter((attempt) => attempt.open);
    const before = providers.get(nodeId);
    providers.set(nodeId, provider);
    const draining = this.#stopping || this.#drained.holds(nodeId, bootId);
    logger.info({ nodeId, legacy: provider.legacy, held: held.length, known: mine.length }, "node joined");
    const result = loop.feed({ type: "providerJoined", provider, held: mine.map(refOf), draining });
    if (!result.ok) {
      const { refusal } = result;
      logger.warn({ nodeId, refusal }, "the dispatcher refused a node");
      // What an earlier session of it has goes with the end of this one.
      if (before === undefined) providers.delete(nodeId);
      else providers.set(nodeId, before);
      const reason = refusal.code === "limit_reached" ? "the server has as many nodes as it may" : refusal.message;
      return Promise.resolve({ type: "refused", reason });
    }
    this.#bootIds.set(nodeId, bootId);
    this.#admission.refill();
    return new Promise((resolve) => {
      commits.after(() => {
        const kept = new Set(mine.filter((attempt) => attempt.open).map((attempt) => attempt.attemptId));
        // A finished one is brought back in any case: it gets its verdict, and may still be the first.
        const isKept = ({ attemptId, state }: Held): boolean => state === "finished" || kept.has(attemptId);
        resolve({
          type: "joined",
          keep: held.filter(isKept).map(({ attemptId }) => attemptId),
          stop: held.filter((each) => !isKept(each)).map(({ attemptId }) => attemptId),
        });
      });
    });
  }

  nodeChanged(provider: Provider): void {
    const { providers, loop } = this.#state;
    if (!providers.has(provider.providerId)) return;
    providers.set(provider.providerId, provider);
    loop.feed({ type: "providerChanged", provider });
    this.#admission.refill();
  }

  nodeLeaves(nodeId: string): void {
    this.#state.loop.feed({ type: "drain", providerId: nodeId });
  }

  nodeLost(nodeId: string, how: "broken" | "left"): void {
    const { providers, loop, logger } = this.#state;
    const provider = providers.get(nodeId);
    if (provider === undefined || (this.#stopping && provider.legacy)) return;
    providers.delete(nodeId);
    this.#bootIds.delete(nodeId);
    logger.info({ nodeId, how }, "node is gone");
    loop.feed({ type: "providerLost", providerId: nodeId, how });
  }

  nodeHeard(nodeId: string): void {
    this.#state.loop.feed({ type: "providerHeard", providerId: nodeId });
  }

  drain(nodeId: string): void {
    const bootId = this.#bootIds.get(nodeId);
    if (bootId !== undefined) this.#drained.drain(nodeId, bootId);
    this.#state.loop.feed({ type: "drain", providerId: nodeId });
  }

  undrain(nodeId: string): void {
    this.#drained.undrain(nodeId);
    this.#state.loop.feed({ type: "undrain", providerId: nodeId });
  }

  attemptAccepted(nodeId: string, attemptId: string): void {
    const attempt = this.#attemptOf(nodeId, attemptId);
    if (attempt !== null) this.#state.loop.feed({ type: "accepted", providerId: nodeId, ...refOf(attempt) });
  }

  attemptRejected(nodeId: string, attemptId: string, reason: string): void {
    const attempt = this.#attemptOf(nodeId, attemptId);
    if (attempt === null) return;
    this.#state.loop.feed({ type: "rejected", providerId: nodeId, ...refOf(attempt), reason });
    if (!attempt.open) this.#state.attempts.forget(attempt);
  }

  attemptProgressed(nodeId: string, attemptId: string, value: number, stage: string): void {
    const attempt = this.#attemptOf(nodeId, attemptId);
    if (attempt === null) return;
    attempt.progress = Math.max(attempt.progress, value);
    this.#state.loop.feed({ type: "progressed", providerId: nodeId, ...refOf(attempt), value: attempt.progress });
    const task = this.#heard(attempt);
    if (task === null) return;
    const { taskId, userId } = task.stored;
    const news = { taskId, userId, attempt: attempt.attempt, value: attempt.progress, stage };
    this.#state.news.publish(taskId, userId, { type: "progress", ...news });
  }

  attemptPreviewed(nodeId: string, attemptId: string, mime: string, bytes: Uint8Array): void {
    const attempt = this.#attemptOf(nodeId, attemptId);
    const task = attempt === null ? null : this.#heard(attempt);
    if (attempt === null || task === null) return;
    const { taskId, userId } = task.stored;
    const news = { taskId, userId, attempt: attempt.attempt, mime, bytes };
    this.#state.news.publish(taskId, userId, { type: "preview", ...news });
  }

  attemptCompleted(nodeId: string, attemptId: string, artifacts: readonly TaskArtifact[], metrics: Metrics): void {
    const attempt = this.#attemptOf(nodeId, attemptId);
    if (attempt?.open) attempt.artifacts = artifacts;
    // A node that says more than it was given time for would charge its task's user, and let others wait for it, without end.
    const limitMs = this.#state.tasks.get(attempt?.taskId ?? "")?.stored.limitMs ?? 0;
    const gpuMs = metrics.gpuMs === undefined ? null : Math.min(metrics.gpuMs, limitMs);
    const warmModel = metrics.warmModel ?? null;
    this.#answered(nodeId, attemptId, attempt, (ref) => ({
      type: "completed",
      providerId: nodeId,
      ...ref,
      gpuMs,
      warmModel,
    }));
  }

  attemptFailed(
    nodeId: string,
    attemptId: string,
    error: { readonly code: string; readonly message: string },
    fault: "task" | "node" | "unexplained",
  ): void {
    const attempt = this.#attemptOf(nodeId, attemptId);
    if (attempt?.open) attempt.error = error;
    this.#state.logger.info({ taskId: attempt?.taskId, attemptId, nodeId, code: error.code, fault }, "attempt failed");
    const { code } = error;
    this.#answered(nodeId, attemptId, attempt, (ref) => ({ type: "failed", providerId: nodeId, ...ref, fault, code }));
  }

  uploadsOf(nodeId: string | null, attemptId: string): AttemptUploads | null {
    const attempt = this.#state.attempts.byId(attemptId);
    return attempt?.open && (nodeId === null || attempt.nodeId === nodeId) ? attempt.uploads : null;
  }

  /** A node's last word on an attempt. */
  #answered(
    nodeId: string,
    attemptId: string,
    attempt: LiveAttempt | null,
    input: (ref: AttemptRef) => DispatcherInput,
  ): void {
    const result = attempt === null ? null : this.#state.loop.feed(input(refOf(attempt)));
    if (result === null || !result.ok) void this.#answerFromStore(nodeId, attemptId);
    if (attempt?.open === false) this.#state.attempts.forget(attempt);
  }

  /** The verdict on an attempt that the dispatcher does not know any more. */
  async #answerFromStore(nodeId: string, attemptId: string): Promise<void> {
    const { store, commits, sessions, logger } = this.#state;
    // What decides may be on its way to the disk.
    await new Promise<void>((resolve) => commits.after(resolve));
    try {
      const attempt = await store.attempt(attemptId);
      let verdict: Verdict = "stale";
      if (attempt?.nodeId === nodeId) {
        const task = await store.task(attempt.taskId);
        if (attempt.state === "succeeded") verdict = "duplicate";
        else if (task?.state === "canceled") verdict = "canceled";
      }
      commits.after(() => sessions.acknowledge(nodeId, attemptId, verdict));
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      // Without an answer the node keeps its result and asks again.
      logger.warn({ attemptId, nodeId, err: error }, "no verdict: the store is away");
    }
  }

  /** An attempt that was given to this very node; of anybody else's nothing is known. */
  #attemptOf(nodeId: string, attemptId: string): LiveAttempt | null {
    const attempt = this.#state.attempts.byId(attemptId);
    return attempt?.nodeId === nodeId ? attempt : null;
  }

  /** The task of an open attempt where somebody listens to it. */
  #heard(attempt: LiveAttempt): LiveTask | null {
    const task = this.#state.tasks.get(attempt.taskId);
    if (task === undefined || !attempt.open) return null;
    return this.#state.news.hears(task.stored.taskId, task.stored.userId) ? task : null;
  }
}

function refOf({ taskId, attempt }: LiveAttempt): AttemptRef {
  return { taskId, attempt };
}
