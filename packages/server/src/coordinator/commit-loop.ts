import type { ChangeOutcome, StoreChange, TaskStore } from "../tasks/task-store.ts";
import { StoreUnavailable, type WhatBecame } from "../tasks/task-store.ts";
import { type GivenUp, submittedTask, withoutSubmissions } from "./given-up.ts";
import { changesOf, type Entry, type PendingChange } from "./pending-change.ts";

/** Told of each transaction and how many milliseconds it took, before anybody else. */
export type OnCommitted = (changes: readonly StoreChange[], outcomes: readonly ChangeOutcome[], ms: number) => void;

/** Changes on their way together, in one transaction or in a part of a larger one. */
interface Turn {
  readonly entries: readonly Entry[];
  readonly sentAtMs: number;
  /** What became of it; null as long as it is under way. */
  result: { readonly outcomes: readonly ChangeOutcome[] } | { readonly failure: StoreUnavailable } | null;
}

/** A turn of which nobody knows whether it was applied, until the store says so. */
interface Doubt extends Pick<Turn, "entries" | "sentAtMs"> {
  readonly whatBecame: WhatBecame;
}

/** First wait after a failed commit, doubled up to the second number. Short, because a user waits at the other end. */
const RETRY_MS = { first: 50, most: 1_000 };

/** An attempt that is opened for a free slot waits this long for other changes of its turn of the event loop, in milliseconds. Where the
 *  turn takes longer it is on its way to the disk while the turn goes on with HTTP requests; those wait for the turn's end. */
const GATHER_MS = 1;

/** A store that has had a turn for this long without an answer is away, in milliseconds, whatever becomes of the turn. */
const STALLED_MS = 1_500;

/** Changes of one turn, beyond which it ends with the decision that they belong to. What waited while the store was away may be tens of
 *  thousands, which no database takes in the time that one commit has. */
const TURN_CHANGES_MAX = 1_000;

/** Stands among the changes where one decision ends and the next begins: what is on either side may be stored apart. */
const SEAM = (): void => {};

/** Turns on their way to the store at once. Behind a slow disk they wait here, and the next one is the larger for it. */
const UNDER_WAY_MAX = 2;

/** Group commit: what comes up in one turn of the event loop goes to the store together, and nobody hears of anything before its
 *  commit. The store takes turns in order, and what is told is told in that order.
 *
 *  While the store is away, submissions are given up at once (their callers get a 503) and everything else waits here; that is
 *  bounded by the attempts that are open, since nothing new is accepted. */
export class CommitLoop {
  readonly #store: Pick<TaskStore, "commit" | "ping">;
  readonly #onOutage: (away: boolean, forMs: number, error: unknown) => void;
  readonly #onCommitted: OnCommitted | undefined;
  readonly #onKept: ((taskId: string) => void) | undefined;
  readonly #nowMs: () => number;
  #pending: Entry[] = [];
  /** When the first pending change came up that a node's free slot waits for. */
  #slotWaitsSinceMs: number | null = null;
  /** Oldest first. */
  readonly #underWay: Turn[] = [];
  /** Oldest first. Whatever came up behind them waits until they are settled. */
  readonly #doubts: Doubt[] = [];
  /** Tasks whose submission is given up and may be in the store: from the word to its caller until it is taken back, or stays. */
  readonly #givenUp = new Set<string>();
  #scheduled = false;
  #early = false;
  #hearing = false;
  #awaySinceMs: number | null = null;
  #retryTimer: NodeJS.Timeout | null = null;
  #stallTimer: NodeJS.Timeout | null = null;
  #retryMs = RETRY_MS.first;
  #idle: (() => void)[] = [];
  #closed = false;

  constructor(
    store: Pick<TaskStore, "commit" | "ping">,
    options: {
      readonly nowMs: () => number;
      /** Called when the store goes away (once) and when it is back, with how long it was away. */
      readonly onOutage: (away: boolean, forMs: number, error: unknown) => void;
      readonly onCommitted?: OnCommitted | undefined;
      /** Called where a submission that was given up was not taken back: it never was in the store, or somebody has it or was told of it. */
      readonly onKept?: (taskId: string) => void;
    },
  ) {
    this.#store = store;
    this.#nowMs = options.nowMs;
    this.#onOutage = options.onOutage;
    this.#onCommitted = options.onCommitted;
    this.#onKept = options.onKept;
  }

  /** True while the last commit failed, or one has not been answered for long. */
  get away(): boolean {
    return this.#awaySinceMs !== null;
  }

  /** Adds a change to the turn's transaction. Changes that are added without a pause in between stay together. */
  change(pending: PendingChange): void {
    this.#add(pending);
  }

  /** Gives up a submission whose caller waits no longer, and calls its `abandoned`. What is on its way is taken back if it comes to be
   *  stored. Does nothing where it was told already. */
  giveUp(submission: PendingChange): void {
    if (this.#pending.includes(submission)) {
      const givenUp: GivenUp = new Map();
      this.#pending = withoutSubmissions(this.#pending, givenUp, { only: submission });
      this.#abandon(givenUp);
    } else if (this.#underWay.some(({ entries }) => entries.includes(submission))) {
      const taskId = submittedTask(submission);
      if (taskId !== null) this.#abandon(new Map([[taskId, { submission, fate: "under way" }]]));
    }
  }

  /** True while a submission of this task is given up that may be in the store: nobody is to be told of it. */
  takesBack(taskId: string): boolean {
    return this.#givenUp.has(taskId);
  }

  /** Calls back after everything that was added before it is on the disk. */
  after(callback: () => void): void {
    this.#add(callback);
  }

  /** Resolves when nothing is under way any more. */
  settled(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Stops retrying; what is still pending is given up. */
  close(): void {
    this.#closed = true;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    if (this.#stallTimer !== null) clearTimeout(this.#stallTimer);
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  get #isIdle(): boolean {
    return this.#underWay.length === 0 && this.#doubts.length === 0 && this.#pending.length === 0;
  }

  #add(entry: Entry): void {
    if (this.#slotWaitsSinceMs === null) {
      if (typeof entry !== "function" && entry.change.type === "attemptOpened") this.#slotWaitsSinceMs = this.#nowMs();
    } else if (!this.#early && this.#nowMs() - this.#slotWaitsSinceMs > GATHER_MS) {
      this.#early = true;
      // Behind the decision that this entry is a part of, which must not be torn in two, and behind what the store says in this breath.
      process.nextTick(() => {
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

  /** To be called between two decisions. */
  #send(): void {
    if (this.#pending.length > 0 && this.#pending.at(-1) !== SEAM) this.#pending.push(SEAM);
    if (
      this.#pending.length === 0 ||
      this.#underWay.length >= UNDER_WAY_MAX ||
      this.#doubts.length > 0 ||
      this.#retryTimer !== null ||
      this.#closed
    )
      return;
    // Behind a turn that failed the next one would fail with it.
    if (this.#underWay.some(({ result }) => result !== null && "failure" in result)) return;
    this.#slotWaitsSinceMs = null;
    const turn: Turn = { entries: this.#takeTurn(), sentAtMs: this.#nowMs(), result: null };
    this.#underWay.push(turn);
    this.#watch();
    this.#commit(turn.entries).then(
      (outcomes) => this.#ended(turn, { outcomes }),
      (error: unknown) => {
        if (!(error instanceof StoreUnavailable)) throw error;
        this.#ended(turn, { failure: error });
      },
    );
    this.#send();
  }

  #takeTurn(): Entry[] {
    if (this.#pending.length <= TURN_CHANGES_MAX) {
      const all = this.#pending;
      this.#pending = [];
      return all;
    }
    let changes = 0;
    const isEnd = (entry: Entry): boolean => {
      if (typeof entry !== "function") changes += 1;
      return entry === SEAM && changes >= TURN_CHANGES_MAX;
    };
    const last = this.#pending.findIndex(isEnd);
    return this.#pending.splice(0, last === -1 ? this.#pending.length : last + 1);
  }

  async #commit(entries: readonly Entry[]): Promise<readonly ChangeOutcome[]> {
    const changes = changesOf(entries);
    if (changes.length === 0) return [];
    const startedAtMs = this.#nowMs();
    const outcomes = await this.#store.commit(changes);
    this.#onCommitted?.(changes, outcomes, this.#nowMs() - startedAtMs);
    return outcomes;
  }

  #ended(turn: Turn, result: NonNullable<Turn["result"]>): void {
    turn.result = result;
    if ("failure" in result) this.#wentAway(result.failure);
    if (this.#hearing) return;
    this.#hearing = true;
    // Behind everything that the store says in this breath: a turn that is sent before the failure of an earlier one is heard would
    // overtake it.
    process.nextTick(() => {
      this.#hearing = false;
      this.#hear();
    });
  }

  /** Tells what is stored, oldest first, and takes back what failed once nothing is under way behind it. */
  #hear(): void {
    for (let first = this.#underWay[0]; first?.result != null; first = this.#underWay[0]) {
      if ("failure" in first.result) {
        if (this.#underWay.every((each) => each.result !== null)) this.#takeBack();
        break;
      }
      this.#underWay.shift();
      // A turn without a change was never in the store.
      if (first.result.outcomes.length > 0) this.#back();
      // What came up meanwhile is on its way while this turn is told: both take their time.
      this.#send();
      this.#tell(first.entries, first.result.outcomes);
    }
    this.#rest();
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

  /** Looks at the oldest turn once it should have been answered. */
  #watch(): void {
    if (this.#stallTimer !== null || this.#closed) return;
    const oldest = this.#underWay.find(({ result }) => result === null);
    if (oldest === undefined) return;
    const dueInMs = oldest.sentAtMs + STALLED_MS - this.#nowMs();
    this.#stallTimer = setTimeout(() => {
      // Behind the answers that came while this process itself stood still.
      setImmediate(() => {
        this.#stallTimer = null;
        const now = this.#underWay.find(({ result }) => result === null);
        const waitedMs = now === undefined ? 0 : this.#nowMs() - now.sentAtMs;
        if (waitedMs < STALLED_MS) this.#watch();
        else
          this.#wentAway(new StoreUnavailable(`The store has not answered for ${Math.round(waitedMs)} ms.`, "unknown"));
      });
    }, dueInMs);
    this.#stallTimer.unref();
  }

  /** Everything from the failed turn on waits again, without what may be given up. The turns whose outcome the store can find out wait for
   *  that as they are. */
  #takeBack(): void {
    const givenUp: GivenUp = new Map();
    const left: Entry[] = [];
    let isCertain = true;
    for (const { entries, sentAtMs, result } of this.#underWay.splice(0)) {
      const failure = result !== null && "failure" in result ? result.failure : null;
      const whatBecame = failure?.whatBecame ?? null;
      isCertain &&= whatBecame !== null;
      if (whatBecame !== null && isCertain) {
        this.#doubts.push({ entries, sentAtMs, whatBecame });
        withoutSubmissions(entries, givenUp, { fate: "under way" });
      } else {
        left.push(
          ...withoutSubmissions(entries, givenUp, { fate: failure?.outcome === "unknown" ? "unknown" : "not stored" }),
        );
      }
    }
    const pending = withoutSubmissions(this.#pending, givenUp);
    const removals = [...givenUp].flatMap(([taskId, { fate }]) =>
      fate === "unknown" ? [this.#removalOf(taskId)] : [],
    );
    this.#pending = [...removals, ...left, ...pending];
    this.#retryLater();
    this.#abandon(givenUp);
  }

  #retryLater(): void {
    if (this.#retryTimer !== null || this.#closed) return;
    this.#retryTimer = setTimeout(() => this.#retry(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS.most);
  }

  #retry(): void {
    this.#retryTimer = null;
    // What was submitted while we waited is given up too: its callers have waited long enough.
    const late: GivenUp = new Map();
    this.#pending = withoutSubmissions(this.#pending, late);
    this.#abandon(late);
    this.#settleDoubts().then(
      () => this.#goOn(),
      (error: unknown) => {
        if (!(error instanceof StoreUnavailable)) throw error;
        this.#retryLater();
      },
    );
  }

  /** Hears what became of each turn of which nobody knew. What was applied is told as if its answer had come; of what was not nothing
   *  behind it was either, and it is tried again. */
  async #settleDoubts(): Promise<void> {
    for (let [first] = this.#doubts; first !== undefined; [first] = this.#doubts) {
      const outcomes = await first.whatBecame();
      // A ping from before may have had us asked twice.
      if (this.#closed || this.#doubts[0] !== first) return;
      if (outcomes === null) {
        const givenUp: GivenUp = new Map();
        const left = this.#doubts.splice(0).flatMap(({ entries }) => withoutSubmissions(entries, givenUp));
        this.#pending = [...left, ...this.#pending];
        this.#abandon(givenUp);
        return;
      }
      this.#doubts.shift();
      this.#onCommitted?.(changesOf(first.entries), outcomes, this.#nowMs() - first.sentAtMs);
      this.#tell(first.entries, outcomes);
    }
  }

  /** Sends what waits again. Where nothing is left the store is asked whether it can be written: without that nobody would find out, since
   *  submissions are refused meanwhile. */
  #goOn(): void {
    if (this.#doubts.length > 0) return;
    const hasChange = this.#pending.some((entry) => typeof entry !== "function");
    this.#send();
    this.#rest();
    if (hasChange) return;
    this.#store.ping().then(
      () => {
        // Where something failed meanwhile, its own retry tells.
        if (this.#retryTimer === null && !this.#closed) this.#back();
      },
      (error: unknown) => {
        if (!(error instanceof StoreUnavailable)) throw error;
        this.#retryLater();
      },
    );
  }

  /** Tells those who wait for it where nothing is under way any more. */
  #rest(): void {
    if (this.#isIdle) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #abandon(givenUp: GivenUp): void {
    for (const [taskId, { submission, fate }] of givenUp) {
      const isTold = this.#givenUp.has(taskId);
      if (fate === "not stored") this.#givenUp.delete(taskId);
      else this.#givenUp.add(taskId);
      if (!isTold) submission.abandoned?.();
    }
  }

  /** What takes a submission out of the store again. */
  #removalOf(taskId: string): PendingChange {
    return {
      change: { type: "submissionTakenBack", taskId },
      committed: (outcome) => {
        this.#givenUp.delete(taskId);
        if (outcome.type === "conflict") this.#onKept?.(taskId);
      },
    };
  }

  #tell(entries: readonly Entry[], outcomes: readonly ChangeOutcome[]): void {
    let next = 0;
    for (const entry of entries) {
      if (typeof entry === "function") {
        entry();
        continue;
      }
      const outcome = outcomes[next++];
      if (outcome === undefined) continue;
      const taskId = submittedTask(entry);
      if (taskId === null || !this.#givenUp.has(taskId)) entry.committed?.(outcome);
      else if (outcome.type === "applied") this.#add(this.#removalOf(taskId));
      else this.#givenUp.delete(taskId);
    }
  }
}
