import { requirementClassKey, type TaskHistory, type UserLimits } from "@genai/dispatcher";
import { NO_SPAN } from "@genai/tracing";
import { restLeftMs } from "../tasks/rest.ts";
import type { StoredAttempt, StoredTask } from "../tasks/stored-task.ts";
import { type ClaimedTask, StoreUnavailable } from "../tasks/task-store.ts";
import type { CoordinatorState } from "./coordinator-state.ts";
import { type LiveAttempt, type LiveTask, newLiveAttempt, uploadsFor } from "./live-task.ts";
import { endSpans, startWait } from "./task-spans.ts";
import { toDispatcherTask } from "./to-dispatcher-task.ts";
import { Window } from "./window.ts";

/** Up to where a task's log was told, and whose it is. */
type ToldOf = Pick<StoredTask, "userId" | "eventNumber">;

/** Entries of a task's log that are told late at most; who hears one reads the others. */
const MISSED_EVENTS_MAX = 100;

/** What goes into the window and what leaves it: new tasks, claimed ones, those of the process before, withdrawn ones. */
export class Admission {
  readonly window: Window;
  readonly #state: CoordinatorState;
  #looking = false;
  /** Tasks that may be this server's in the store and are not in its window, and what was told of them. */
  readonly #unsure = new Map<string, ToldOf | null>();

  constructor(state: CoordinatorState) {
    this.#state = state;
    this.window = new Window(state.store, state.loop.dispatcher);
  }

  /** Takes up what the process before left: the tasks with open attempts, and the count of the backlog. */
  async open(): Promise<void> {
    const { store, logger } = this.#state;
    let recovered = 0;
    for await (const batch of store.recover()) {
      for (const { task, classKey, open } of batch) this.#recover({ task, classKey }, open);
      recovered += batch.length;
    }
    if (recovered > 0) logger.info({ tasks: recovered }, "took up the tasks that were running");
    // Counted afterwards: the recovery also hands back what the process before had claimed and not started.
    await this.window.open();
    this.refill();
  }

  /** A task is in the window from now on. */
  enter(live: LiveTask): void {
    this.#state.tasks.set(live.stored.taskId, live);
    this.window.entered(live.classKey, live.stored.userId);
  }

  /** A task left the window by its end. */
  left(live: LiveTask): void {
    this.#state.tasks.delete(live.stored.taskId);
    this.window.left(live.classKey, live.stored.userId);
  }

  /** Takes a task out of the window that is not this server's, or no longer. Does nothing where it left already. */
  withdraw(live: LiveTask): void {
    const { tasks, queued, loop } = this.#state;
    const { taskId, userId, state } = live.stored;
    if (tasks.get(taskId) !== live) return;
    // One that runs does not count as waiting any more.
    if (state === "queued") queued.add(userId, -1);
    loop.feed({ type: "withdraw", taskId });
    endSpans(live, "withdrawn");
    this.left(live);
  }

  /** Takes a task in again, with the next look, that left the window or never came into it, where it is this server's in the store: nobody
   *  else would have it. What its log says behind what was `told` is told. */
  reclaim(taskId: string, told: ToldOf | null = null): void {
    this.#unsure.set(taskId, told);
  }

  /** The end of a waiting task is on the disk that the dispatcher did not decide. It was outside of the window when it was decided, and
   *  a claim may have brought it in since. */
  endedOutside(taskId: string, userId: string, classKey: string): void {
    const { tasks, queued } = this.#state;
    const live = tasks.get(taskId);
    if (live !== undefined) {
      this.withdraw(live);
      return;
    }
    queued.add(userId, -1);
    this.window.endedOutside(classKey, taskId);
  }

  /** Tells the dispatcher what a user may do, where it goes by something else: before each of their tasks, since it forgets users that
   *  have none, and when it changes. */
  announce(userId: string, limits: UserLimits): void {
    const { loop } = this.#state;
    if (!isSame(loop.dispatcher.limitsOf(userId), limits)) loop.feed({ type: "userChanged", userId, limits });
  }

  /** Claims tasks for slots that have too little to choose from. Cheap where the store holds no backlog. */
  refill(): void {
    if (!this.window.hasBacklog || this.#state.commits.away) return;
    this.window
      .refill(
        (claimed, { idle }) => this.#take(claimed, idle),
        () => this.#idleAsks(),
      )
      .catch((error: unknown) => {
        if (!(error instanceof StoreUnavailable)) throw error;
        this.#state.logger.warn({ err: error }, "no tasks could be claimed; trying again shortly");
      });
  }

  /** Looks what waits in the store that nobody told this process of, and, where `takeOver` says so, for what servers left that are
   *  gone. One look at a time. */
  look(takeOver: boolean): void {
    if (this.#looking || this.#state.commits.away) return;
    this.#looking = true;
    this.#look(takeOver)
      .catch((error: unknown) => {
        if (!(error instanceof StoreUnavailable)) throw error;
        this.#state.logger.warn({ err: error }, "the store could not be looked through; trying again shortly");
      })
      .finally(() => {
        this.#looking = false;
      });
  }

  async #reclaimUnsure(): Promise<void> {
    const { commits, news, store, tasks } = this.#state;
    // What turns out to be unsure once more waits for the next look: no task goes round and round.
    for (const [taskId, told] of [...this.#unsure]) {
      // Behind what was decided about it and is on its way to the disk.
      await new Promise<void>((resolve) => commits.after(resolve));
      this.#unsure.delete(taskId);
      try {
        const isHeard = told !== null && news.hears(taskId, told.userId);
        const events = isHeard ? await store.eventsOf(taskId, told.eventNumber, MISSED_EVENTS_MAX) : [];
        const held = await store.held(taskId);
        for (const event of events) news.publishEvent(event);
        if (held !== null && !tasks.has(taskId)) this.#takeAgain(held, held.open);
      } catch (error) {
        if (!this.#unsure.has(taskId)) this.#unsure.set(taskId, told);
        throw error;
      }
    }
  }

  #takeAgain(claimed: ClaimedTask, open: readonly StoredAttempt[]): void {
    const { taskId, userId, state } = claimed.task;
    this.#state.logger.warn({ taskId }, "task is taken in again");
    const goesOn = state === "running" && open.some(({ legacy }) => !legacy);
    if (!goesOn) this.#state.queued.add(userId, 1);
    if (state === "running" || open.length > 0) this.#recover(claimed, open, "taken_again");
    else this.#take([claimed], true);
  }

  async #look(takeOver: boolean): Promise<void> {
    await this.#reclaimUnsure();
    if (takeOver) {
      for await (const left of this.#state.store.takeOver()) {
        for (const { task, classKey, open } of left) {
          // What came into the window by another way meanwhile is known better here.
          if (!this.#state.tasks.has(task.taskId)) this.#recover({ task, classKey }, open);
        }
        this.#state.logger.warn({ tasks: left.length }, "took over tasks of a server that is gone");
      }
    }
    await this.window.look();
    this.refill();
  }

  /** Idle slots for which nothing waits here ask with their own price. */
  #idleAsks(): readonly { readonly classKey: string; readonly cost: number }[] {
    return this.#state.loop.dispatcher
      .idleProviders()
      .flatMap(({ cost, classKeys }) => classKeys.map((classKey) => ({ classKey, cost })));
  }

  #take(claimed: readonly ClaimedTask[], needsNoRoom: boolean): void {
    const { commits } = this.#state;
    const refused: string[] = [];
    const returned: ClaimedTask[] = [];
    for (const each of claimed) {
      if (!needsNoRoom && !this.window.keeps(each.classKey, each.task.userId)) returned.push(each);
      else if (!this.#admit(each, [])) refused.push(each.task.taskId);
    }
    if (refused.length > 0) commits.change({ change: { type: "claimReleased", taskIds: refused } });
    if (returned.length === 0) return;
    for (const { task, classKey } of returned) this.window.staysOutside(classKey, task.userId);
    commits.change({
      change: { type: "claimReleased", taskIds: returned.map(({ task }) => task.taskId) },
      committed: () => {
        for (const { classKey } of returned) this.window.arrived(classKey);
      },
    });
  }

  #recover(
    claimed: ClaimedTask,
    open: readonly StoredAttempt[],
    reason: "server_restarted" | "taken_again" = "server_restarted",
  ): void {
    const { commits, clock } = this.#state;
    const atMs = clock.wallMs();
    for (const { attemptId } of open.filter((attempt) => attempt.legacy)) {
      // What a legacy node finishes goes to the socket that is gone. The loss is ours, not the node's: no budget is charged.
      commits.change({
        change: {
          type: "attemptChanged",
          attemptId,
          state: "expired",
          open: false,
          atMs,
          gpuMs: 0,
          abortReason: "lost",
          error: null,
        },
      });
    }
    const kept = open.filter((attempt) => !attempt.legacy);
    if (kept.length > 0) {
      this.#admit(claimed, kept);
      return;
    }
    const { task } = claimed;
    commits.change({
      change: {
        type: "taskRequeued",
        taskId: task.taskId,
        reason,
        attempt: task.lastAttempt,
        faults: task.faults,
        losses: task.losses,
        failedNodeIds: task.failedNodeIds,
        notBeforeMs: 0,
        atMs,
      },
    });
    this.#admit({ ...claimed, task: { ...task, state: "queued", handedBack: true, notBeforeMs: 0 } }, []);
  }

  /** Brings a stored task into the window; false where the dispatcher refused it. */
  #admit({ task, classKey }: ClaimedTask, open: readonly StoredAttempt[]): boolean {
    const { tasks, attempts, clock, taskTtlMs, loop, logger, tracing } = this.#state;
    if (tasks.has(task.taskId)) return true;
    const nowMs = clock.wallMs();
    this.announce(task.userId, this.#state.userLimits(task.userId));
    const live: LiveTask = { stored: { ...task }, classKey, pipeline: null, attempts: new Map(), waitSpan: NO_SPAN };
    // What was handed back waits anew; how long it had waited before nobody knows any more.
    if (open.length === 0) startWait(tracing, live, task.handedBack ? null : task.createdAtMs);
    for (const { attemptId, attempt, nodeId } of open) {
      const one: LiveAttempt = newLiveAttempt({
        attemptId,
        taskId: task.taskId,
        attempt,
        nodeId,
        uploads: uploadsFor(task, { legacy: false }, this.#state.uploadLimits),
      });
      attempts.add(one);
      live.attempts.set(attempt, one);
    }
    this.enter(live);
    const history = historyOf(task, open, nowMs);
    const result = loop.feed({ type: "submit", task: { ...toDispatcherTask(task, nowMs, taskTtlMs), history } });
    if (result.ok) return true;
    logger.error({ taskId: task.taskId, refusal: result.refusal }, "a stored task was refused by the dispatcher");
    this.left(live);
    for (const attempt of live.attempts.values()) attempts.forget(attempt);
    return false;
  }
}

/** The requirement class of a stored task. */
export function classKeyOf(task: Pick<StoredTask, "requirements">): string {
  return requirementClassKey(task.requirements);
}

function isSame(one: UserLimits, other: UserLimits): boolean {
  return (
    one.weight === other.weight &&
    one.userClass === other.userClass &&
    one.queuedMax === other.queuedMax &&
    one.runningMax === other.runningMax
  );
}

function historyOf(task: StoredTask, open: readonly StoredAttempt[], nowMs: number): TaskHistory {
  return {
    lastAttempt: task.lastAttempt,
    faults: task.faults,
    losses: task.losses,
    failedProviderIds: task.failedNodeIds,
    handedBack: task.handedBack,
    retryInMs: restLeftMs(task, nowMs),
    open: open.flatMap(({ attempt, nodeId, state, cost, openedAtMs, limitMs }) =>
      state === "assigned" || state === "sent" || state === "accepted" || state === "running" || state === "lost"
        ? [{ attempt, providerId: nodeId, state, cost, limitLeftMs: openedAtMs + limitMs - nowMs }]
        : [],
    ),
  };
}
