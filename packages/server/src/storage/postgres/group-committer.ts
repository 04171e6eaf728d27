import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { Pool } from "pg";
import { type ChangeOutcome, type StoreChange, StoreUnavailable } from "../../tasks/task-store.ts";
import { type AppliedChange, changeOutcome } from "../applied-change.ts";
import { applyQuery, type PreparedChange, prepareChange } from "./change-batches.ts";
import { CALL_MS_MAX, failureOf, unavailable } from "./connection.ts";
import { KnownNames } from "./known-names.ts";

/** Changes that one transaction takes at most, and characters of them. */
const GROUP_CHANGES_MAX = 1_000;
const GROUP_CHARS_MAX = 16 * 1024 * 1024;

/** Changes that may wait for the database. */
const WAITING_CHANGES_MAX = 20_000;
const WAITING_CHARS_MAX = 256 * 1024 * 1024;

interface Waiting {
  readonly changes: readonly PreparedChange[];
  readonly chars: number;
  readonly resolve: (outcomes: readonly ChangeOutcome[]) => void;
  readonly reject: (error: StoreUnavailable) => void;
}

/** Group commit: one group of changes is on its way, and whatever comes up meanwhile is the next one. Changes are applied in
 *  the order in which they were handed in.
 *
 *  Each group carries an id that its transaction writes down. When a connection breaks in the middle, the same group is sent
 *  again: what was committed answers as it did then. When the time is up first, the group is fenced off before anything else is
 *  done, so an answer `unknown` becomes certain with the next thing that is read. */
export class GroupCommitter {
  readonly #pool: Pool;
  readonly #serverId: string;
  readonly #unknownGroups = new Set<string>();
  readonly #knownNames = new KnownNames();
  #waiting: Waiting[] = [];
  #waitingChanges = 0;
  #waitingChars = 0;
  #running: Promise<void> | null = null;

  constructor(pool: Pool, serverId: string) {
    this.#pool = pool;
    this.#serverId = serverId;
  }

  commit(changes: readonly StoreChange[]): Promise<readonly ChangeOutcome[]> {
    if (changes.length === 0) return Promise.resolve([]);
    if (this.#waitingChanges > WAITING_CHANGES_MAX || this.#waitingChars > WAITING_CHARS_MAX) {
      return Promise.reject(new StoreUnavailable(`${this.#waitingChanges} changes wait to be written.`, "rolled_back"));
    }
    const prepared = changes.map(prepareChange);
    const chars = prepared.reduce((sum, { text }) => sum + text.length, 0);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes: prepared, chars, resolve, reject });
      this.#waitingChanges += changes.length;
      this.#waitingChars += chars;
      this.#running ??= this.#drain();
    });
  }

  /** Settles what became of groups that nobody knows of. Whatever is read afterwards is final. */
  async fence(): Promise<void> {
    if (this.#unknownGroups.size === 0) return;
    const groups = [...this.#unknownGroups];
    await this.#pool.query("SELECT genai.fence($1)", [groups]);
    for (const group of groups) this.#unknownGroups.delete(group);
  }

  /** Resolves once nothing is on its way. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #drain(): Promise<void> {
    // One turn of the loop is one transaction: whatever is handed in during this turn comes along.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#send(this.#nextGroup());
    this.#running = null;
  }

  #nextGroup(): readonly Waiting[] {
    let count = 0;
    let changes = 0;
    let chars = 0;
    for (const waiting of this.#waiting) {
      changes += waiting.changes.length;
      chars += waiting.chars;
      if (count > 0 && (changes > GROUP_CHANGES_MAX || chars > GROUP_CHARS_MAX)) break;
      count += 1;
    }
    const group = this.#waiting.splice(0, count);
    for (const { changes, chars } of group) {
      this.#waitingChanges -= changes.length;
      this.#waitingChars -= chars;
    }
    return group;
  }

  /** False where it failed; then nothing is applied that was handed in behind it. */
  async #send(group: readonly Waiting[]): Promise<boolean> {
    let applied: readonly AppliedChange[];
    try {
      applied = await this.#apply(group.flatMap(({ changes }) => changes));
    } catch (error) {
      const failure = error as StoreUnavailable;
      if (failure.outcome === "rolled_back" && group.length > 1 && !isAway(failure)) return this.#sendEach(group);
      for (const { reject } of group) reject(failure);
      refuse(this.#waiting.splice(0));
      this.#waitingChanges = 0;
      this.#waitingChars = 0;
      return false;
    }
    let next = 0;
    for (const { changes, resolve } of group) {
      resolve(changes.map(({ change }) => changeOutcome(change, applied[next++] as AppliedChange)));
    }
    return true;
  }

  /** One of them is what the database will not take; those before it are. */
  async #sendEach(group: readonly Waiting[]): Promise<boolean> {
    for (const [index, waiting] of group.entries()) {
      if (await this.#send([waiting])) continue;
      refuse(group.slice(index + 1));
      return false;
    }
    return true;
  }

  /** Applies a group within {@link CALL_MS_MAX}, trying again where that can help. Throws {@link StoreUnavailable}. */
  async #apply(changes: readonly PreparedChange[]): Promise<readonly AppliedChange[]> {
    const groupId = randomUUID();
    const query = applyQuery(groupId, changes, this.#knownNames, this.#serverId);
    const deadline = performance.now() + CALL_MS_MAX;
    let maybeCommitted = false;
    for (let attempt = 0; ; attempt++) {
      try {
        await this.fence();
        const { rows } = await this.#pool.query(query);
        this.#knownNames.committed(changes.map(({ change }) => change));
        return JSON.parse(rows[0]?.outcomes);
      } catch (error) {
        this.#knownNames.forget();
        const { failure, retry } = failureOf(error);
        maybeCommitted ||= failure === "unknown";
        const pauseMs = Math.random() * 50 * 2 ** attempt;
        if (!retry || performance.now() + pauseMs > deadline) {
          if (maybeCommitted) this.#unknownGroups.add(groupId);
          throw unavailable(error, maybeCommitted ? "unknown" : failure);
        }
        await setTimeout(pauseMs);
      }
    }
  }
}

function refuse(behind: readonly Waiting[]): void {
  for (const { reject } of behind) {
    reject(new StoreUnavailable("What was to be written before it was not.", "rolled_back"));
  }
}

/** The database was not reached, so no change of the group is at fault. */
function isAway(failure: StoreUnavailable): boolean {
  return failureOf(failure.cause).failure !== "rolled_back" || failureOf(failure.cause).retry;
}
