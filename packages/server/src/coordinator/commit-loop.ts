import type { ChangeOutcome, StoreChange, TaskStore } from "../tasks/task-store.ts";
import { StoreUnavailable } from "../tasks/task-store.ts";

/** A change on its way to the disk. */
export interface PendingChange {
  readonly change: StoreChange;
  /** Called once it is on the disk, or its guard failed. In order, before any later change is told. */
  readonly committed?: (outcome: ChangeOutcome) => void;
  /** Called instead when the store is away and the change may be given up (a submission). Where this is absent the change is tried
   *  again until the store is back: what a node did can't be undone. */
  readonly abandoned?: () => void;
}

/** Told of each transaction and how many milliseconds it took, before anybody else. */
export type OnCommitted = (changes: readonly StoreChange[], outcomes: readonly ChangeOutcome[], ms: number) => void;

type Turn = (PendingChange | (() => void))[];

/** First wait after a failed commit, doubled up to the second number. Short, because a user waits at the other end. */
const RETRY_MS = { first: 50, most: 1_000 };

/** Group commit: all that comes up while one commit is under way is the next one, and nobody hears of anything before its commit.
 *
 *  While the store is away, submissions are given up at once (their callers get a 503) and everything else waits here; that is
 *  bounded by the attempts that are open, since nothing new is accepted. */
export class CommitLoop {
  readonly #store: TaskStore;
  readonly #onOutage: (away: boolean, forMs: number, error: unknown) => void;
  readonly #onCommitted: OnCommitted | undefined;
  readonly #nowMs: () => number;
  #pending: Turn = [];
  #running = false;
  #scheduled = false;
  #awaySinceMs: number | null = null;
  #retryTimer: NodeJS.Timeout | null = null;
  #retryMs = RETRY_MS.first;
  #idle: (() => void)[] = [];
  #closed = false;

  constructor(
    store: TaskStore,
    options: {
      readonly nowMs: () => number;
      /** Called when the store goes away (once) and when it is back, with how long it was away. */
      readonly onOutage: (away: boolean, forMs: number, error: unknown) => void;
      readonly onCommitted?: OnCommitted | undefined;
    },
  ) {
    this.#store = store;
    this.#nowMs = options.nowMs;
    this.#onOutage = options.onOutage;
    this.#onCommitted = options.onCommitted;
  }

  /** True while the last commit failed. */
  get away(): boolean {
    return this.#awaySinceMs !== null;
  }

  /** Adds a change to the turn's transaction. */
  change(pending: PendingChange): void {
    this.#pending.push(pending);
    this.#schedule();
  }

  /** Calls back after everything that was added before it is on the disk. */
  after(callback: () => void): void {
    this.#pending.push(callback);
    this.#schedule();
  }

  /** Resolves when nothing is under way any more. */
  settled(): Promise<void> {
    if (!this.#running && this.#pending.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Stops retrying; what is still pending is given up. */
  close(): void {
    this.#closed = true;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #schedule(): void {
    if (this.#scheduled || this.#running || this.#retryTimer !== null || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    let last: { readonly turn: Turn; readonly outcomes: readonly ChangeOutcome[] } | null = null;
    while (last !== null || (this.#pending.length > 0 && !this.#closed)) {
      const turn: Turn = this.#closed ? [] : this.#pending.splice(0);
      // What came up meanwhile is on its way to the disk while the last turn is told: both take their time.
      const commit = turn.length === 0 ? null : this.#commit(turn);
      if (last !== null) tell(last.turn, last.outcomes);
      last = null;
      if (commit === null) continue;
      try {
        last = { turn, outcomes: await commit };
        this.#back();
      } catch (error) {
        this.#failed(turn, error);
        break;
      }
    }
    this.#running = false;
    if (this.#pending.length === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #commit(turn: Turn): Promise<readonly ChangeOutcome[]> {
    const changes: StoreChange[] = [];
    for (const entry of turn) if (typeof entry !== "function") changes.push(entry.change);
    if (changes.length === 0) return [];
    const startedAtMs = this.#nowMs();
    const outcomes = await this.#store.commit(changes);
    this.#onCommitted?.(changes, outcomes, this.#nowMs() - startedAtMs);
    return outcomes;
  }

  #back(): void {
    if (this.#awaySinceMs === null) return;
    const forMs = this.#nowMs() - this.#awaySinceMs;
    this.#awaySinceMs = null;
    this.#retryMs = RETRY_MS.first;
    this.#onOutage(false, forMs, null);
  }

  #failed(turn: Turn, error: unknown): void {
    if (!(error instanceof StoreUnavailable)) throw error;
    if (this.#awaySinceMs === null) {
      this.#awaySinceMs = this.#nowMs();
      this.#onOutage(true, 0, error);
    }
    this.#pending = [...withoutSubmissions(turn, error.outcome === "unknown"), ...this.#pending];
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      // What was submitted while we waited is given up too: its callers have waited long enough.
      this.#pending = withoutSubmissions(this.#pending, false);
      this.#schedule();
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS.most);
  }
}

function tell(turn: Readonly<Turn>, outcomes: readonly ChangeOutcome[]): void {
  let next = 0;
  for (const entry of turn) {
    if (typeof entry === "function") {
      entry();
      continue;
    }
    const outcome = outcomes[next++];
    if (outcome !== undefined) entry.committed?.(outcome);
  }
}

/** The turn without what may be given up. A submission whose commit has an unknown outcome is deleted when the store is back: its
 *  caller was told that it is not accepted. Everything else of such a task goes with it. */
function withoutSubmissions(turn: Readonly<Turn>, outcomeUnknown: boolean): Turn {
  const givenUp = new Set<string>();
  const rest: Turn = [];
  for (const entry of turn) {
    if (typeof entry === "function") {
      rest.push(entry);
    } else if (entry.abandoned !== undefined && entry.change.type === "taskInserted") {
      const { taskId } = entry.change.task;
      givenUp.add(taskId);
      if (outcomeUnknown) {
        const end = { taskId, state: "canceled", attempt: null, artifacts: [], error: null } as const;
        rest.push({ change: { type: "taskSettled", ...end, atMs: entry.change.task.createdAtMs } });
        rest.push({ change: { type: "taskDeleted", taskId } });
      }
      entry.abandoned();
    } else if (!("taskId" in entry.change) || !givenUp.has(entry.change.taskId)) {
      rest.push(entry);
    }
  }
  return rest;
}
