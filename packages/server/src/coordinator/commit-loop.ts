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

type Entry = PendingChange | (() => void);

/** Changes on their way together, in one transaction or in a part of a larger one. */
interface Turn {
  readonly entries: readonly Entry[];
  /** What became of it; null as long as it is under way. */
  result: { readonly outcomes: readonly ChangeOutcome[] } | { readonly failure: StoreUnavailable } | null;
}

/** First wait after a failed commit, doubled up to the second number. Short, because a user waits at the other end. */
const RETRY_MS = { first: 50, most: 1_000 };

/** An attempt that is opened for a free slot waits this long for other changes of its turn of the event loop, in milliseconds. Where the
 *  turn takes longer it is on its way to the disk while the turn goes on with HTTP requests; those wait for the turn's end. */
const GATHER_MS = 1;

/** Turns on their way to the store at once. Behind a slow disk they wait here, and the next one is the larger for it. */
const UNDER_WAY_MAX = 2;

/** Group commit: what comes up in one turn of the event loop goes to the store together, and nobody hears of anything before its
 *  commit. The store takes turns in order, and what is told is told in that order.
 *
 *  While the store is away, submissions are given up at once (their callers get a 503) and everything else waits here; that is
 *  bounded by the attempts that are open, since nothing new is accepted. */
export class CommitLoop {
  readonly #store: Pick<TaskStore, "commit">;
  readonly #onOutage: (away: boolean, forMs: number, error: unknown) => void;
  readonly #onCommitted: OnCommitted | undefined;
  readonly #nowMs: () => number;
  #pending: Entry[] = [];
  /** When the first pending change came up that a node's free slot waits for. */
  #slotWaitsSinceMs: number | null = null;
  /** Oldest first. */
  readonly #underWay: Turn[] = [];
  #scheduled = false;
  #early = false;
  #awaySinceMs: number | null = null;
  #retryTimer: NodeJS.Timeout | null = null;
  #retryMs = RETRY_MS.first;
  #idle: (() => void)[] = [];
  #closed = false;

  constructor(
    store: Pick<TaskStore, "commit">,
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

  /** Adds a change to the turn's transaction. Changes that are added without a pause in between stay together. */
  change(pending: PendingChange): void {
    this.#add(pending);
  }

  /** Calls back after everything that was added before it is on the disk. */
  after(callback: () => void): void {
    this.#add(callback);
  }

  /** Resolves when nothing is under way any more. */
  settled(): Promise<void> {
    if (this.#underWay.length === 0 && this.#pending.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Stops retrying; what is still pending is given up. */
  close(): void {
    this.#closed = true;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #add(entry: Entry): void {
    if (this.#slotWaitsSinceMs === null) {
      if (typeof entry !== "function" && entry.change.type === "attemptOpened") this.#slotWaitsSinceMs = this.#nowMs();
    } else if (!this.#early && this.#nowMs() - this.#slotWaitsSinceMs > GATHER_MS) {
      this.#early = true;
      // Behind the decision that this entry is a part of, which must not be torn in two.
      queueMicrotask(() => {
        this.#early = false;
        this.#send();
      });
    }
    this.#pending.push(entry);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    if (
      this.#pending.length === 0 ||
      this.#underWay.length >= UNDER_WAY_MAX ||
      this.#retryTimer !== null ||
      this.#closed
    )
      return;
    // Behind a turn that failed the next one would fail with it.
    if (this.#underWay.some(({ result }) => result !== null && "failure" in result)) return;
    this.#slotWaitsSinceMs = null;
    const turn: Turn = { entries: this.#pending.splice(0), result: null };
    this.#underWay.push(turn);
    this.#commit(turn.entries).then(
      (outcomes) => this.#ended(turn, { outcomes }),
      (error: unknown) => {
        if (!(error instanceof StoreUnavailable)) throw error;
        this.#ended(turn, { failure: error });
      },
    );
  }

  async #commit(entries: readonly Entry[]): Promise<readonly ChangeOutcome[]> {
    const changes: StoreChange[] = [];
    for (const entry of entries) if (typeof entry !== "function") changes.push(entry.change);
    if (changes.length === 0) return [];
    const startedAtMs = this.#nowMs();
    const outcomes = await this.#store.commit(changes);
    this.#onCommitted?.(changes, outcomes, this.#nowMs() - startedAtMs);
    return outcomes;
  }

  #ended(turn: Turn, result: NonNullable<Turn["result"]>): void {
    turn.result = result;
    if ("failure" in result) this.#wentAway(result.failure);
    for (let first = this.#underWay[0]; first?.result != null; first = this.#underWay[0]) {
      if ("failure" in first.result) {
        if (this.#underWay.every((each) => each.result !== null)) this.#takeBack();
        break;
      }
      this.#underWay.shift();
      this.#back();
      // What came up meanwhile is on its way while this turn is told: both take their time.
      this.#send();
      tell(first.entries, first.result.outcomes);
    }
    if (this.#underWay.length === 0 && this.#pending.length === 0)
      for (const resolve of this.#idle.splice(0)) resolve();
  }

  #back(): void {
    if (this.#awaySinceMs === null) return;
    const forMs = this.#nowMs() - this.#awaySinceMs;
    this.#awaySinceMs = null;
    this.#retryMs = RETRY_MS.first;
    this.#onOutage(false, forMs, null);
  }

  #wentAway(failure: StoreUnavailable): void {
    if (this.#awaySinceMs !== null) return;
    this.#awaySinceMs = this.#nowMs();
    this.#onOutage(true, 0, failure);
  }

  /** Everything from the failed turn on waits again, without what may be given up. */
  #takeBack(): void {
    const givenUp = new Set<string>();
    const left = this.#underWay.splice(0).flatMap(({ entries, result }) => {
      const unknown = result !== null && "failure" in result && result.failure.outcome === "unknown";
      return withoutSubmissions(entries, unknown, givenUp);
    });
    this.#pending = [...left, ...this.#pending];
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      // What was submitted while we waited is given up too: its callers have waited long enough.
      this.#pending = withoutSubmissions(this.#pending, false, new Set());
      this.#schedule();
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS.most);
  }
}

function tell(entries: readonly Entry[], outcomes: readonly ChangeOutcome[]): void {
  let next = 0;
  for (const entry of entries) {
    if (typeof entry === "function") {
      entry();
      continue;
    }
    const outcome = outcomes[next++];
    if (outcome !== undefined) entry.committed?.(outcome);
  }
}

/** The entries without what may be given up; its task ids are added to `givenUp`, and everything else of those tasks goes with them. A
 *  submission whose commit has an unknown outcome is deleted when the store is back: its caller was told that it is not accepted. */
function withoutSubmissions(entries: readonly Entry[], outcomeUnknown: boolean, givenUp: Set<string>): Entry[] {
  const rest: Entry[] = [];
  for (const entry of entries) {
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
