import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { Pool } from "pg";
import { type ChangeOutcome, type StoreChange, StoreUnavailable } from "../../tasks/task-store.ts";
import { type AppliedChange, changeOutcome } from "../applied-change.ts";
import { errorCode } from "../error-code.ts";
import { applyQuery, type PreparedChange, prepareChange } from "./change-batches.ts";
import { CALL_MS_MAX, failureOf, unavailable } from "./connection.ts";
import { KnownNames } from "./known-names.ts";
import type { WriteConnection } from "./write-connection.ts";

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

/** Groups on their way at once: one that the database works on, and one that lies at its door when it is done. With one alone it waited
 *  for this process after each group, which has other things to do. */
const UNDER_WAY_MAX = 2;

/** A group on its way. */
interface Sent {
  readonly groupId: string;
  /** Whether it was applied; never rejects. */
  readonly applied: Promise<boolean>;
}

/** Group commit: what comes up while two groups are on their way is the next one. Changes are applied in the order in which they were
 *  handed in, and none whose predecessor was not.
 *
 *  Each group carries an id that its transaction writes down. When a connection breaks in the middle, the same group is sent
 *  again: what was committed answers as it did then. When the time is up first, the group is fenced off before anything else is
 *  done, so an answer `unknown` becomes certain with the next thing that is read, and whoever had it can ask what it was. */
export class GroupCommitter {
  readonly #pool: Pool;
  readonly #connection: WriteConnection;
  readonly #serverId: string;
  readonly #unknownGroups = new Set<string>();
  readonly #knownNames = new KnownNames();
  readonly #underWay = new Set<Sent>();
  #waiting: Waiting[] = [];
  #waitingChanges = 0;
  #waitingChars = 0;
  #starting = false;

  constructor(pool: Pool, connection: WriteConnection, serverId: string) {
    this.#pool = pool;
    this.#connection = connection;
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
      this.#startSoon();
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
    while (this.#waiting.length > 0 || this.#underWay.size > 0) {
      await Promise.all([...this.#underWay].map(({ applied }) => applied));
    }
  }

  /** Behind this turn of the loop: whatever is handed in during it comes along. */
  #startSoon(): void {
    if (this.#starting) return;
    this.#starting = true;
    queueMicrotask(() => {
      this.#starting = false;
      this.#start();
    });
  }

  #start(): void {
    while (this.#waiting.length > 0 && this.#underWay.size < UNDER_WAY_MAX) {
      const before = [...this.#underWay].at(-1) ?? null;
      const groupId = randomUUID();
      const sent = { groupId, applied: this.#send(this.#nextGroup(), groupId, before) };
      this.#underWay.add(sent);
      void sent.applied.then(() => {
        this.#underWay.delete(sent);
        this.#start();
      });
    }
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
  async #send(group: readonly Waiting[], groupId: string, before: Sent | null): Promise<boolean> {
    let applied: readonly AppliedChange[];
    try {
      applied = await this.#apply(
        groupId,
        group.flatMap(({ changes }) => changes),
        before,
      );
    } catch (error) {
      const failure = error as StoreUnavailable;
      if (failure.outcome === "rolled_back" && group.length > 1 && !isAway(failure)) return this.#sendEach(group);
      rejectEach(group, failure, failure.outcome === "unknown" ? () => this.#outcomesOf(groupId) : null);
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

  /** What became of a group that nobody knew of; null where it was not applied, and is not from now on. */
  async #outcomesOf(groupId: string): Promise<readonly AppliedChange[] | null> {
    try {
      this.#unknownGroups.add(groupId);
      await this.fence();
      const { rows } = await this.#pool.query("SELECT outcomes FROM change_groups WHERE group_id = $1", [groupId]);
      const outcomes: string | null = rows[0]?.outcomes ?? null;
      return outcomes === null ? null : JSON.parse(outcomes);
    } catch (error) {
      throw unavailable(error, "rolled_back");
    }
  }

  /** One of them is what the database will not take; those before it are. */
  async #sendEach(group: readonly Waiting[]): Promise<boolean> {
    for (const [index, waiting] of group.entries()) {
      if (await this.#send([waiting], randomUUID(), null)) continue;
      refuse(group.slice(index + 1));
      return false;
    }
    return true;
  }

  /** Applies a group within {@link CALL_MS_MAX} of the answer to the one in front of it, trying again where that can help. Throws
   *  {@link StoreUnavailable}. */
  async #apply(
    groupId: string,
    changes: readonly PreparedChange[],
    before: Sent | null,
  ): Promise<readonly AppliedChange[]> {
    let deadline = performance.now() + CALL_MS_MAX;
    let behind = before?.groupId ?? null;
    let maybeCommitted = false;
    for (let attempt = 0; ; attempt++) {
      let outcomes: string;
      try {
        await this.fence();
        const query = applyQuery(groupId, changes, this.#knownNames, this.#serverId, behind);
        const callMs = behind === null ? CALL_MS_MAX : 2 * CALL_MS_MAX;
        outcomes = (await this.#connection.query(query, callMs)).rows[0]?.outcomes;
      } catch (error) {
        this.#knownNames.forget();
        const { failure, retry } = failureOf(error);
        maybeCommitted ||= failure === "unknown";
        // It has no fate of its own before that of the one in front of it is known.
        const isFree = before === null || (await before.applied);
        if (behind !== null) deadline = performance.now() + CALL_MS_MAX;
        behind = null;
        const pauseMs = Math.random() * 50 * 2 ** attempt;
        if (isFree && (retry || isOfGroups(error)) && performance.now() + pauseMs < deadline) {
          await setTimeout(pauseMs);
          continue;
        }
        if (maybeCommitted) this.#unknownGroups.add(groupId);
        const outcome = maybeCommitted ? "unknown" : failure;
        throw isFree ? unavailable(error, outcome) : notBehind(outcome === "unknown" ? outcome : "rolled_back");
      }
      // The one in front of it was committed, and nobody here may ever hear of that; then this one is as unknown.
      if (before !== null && !(await before.applied)) throw notBehind("unknown");
      this.#knownNames.committed(changes.map(({ change }) => change));
      return JSON.parse(outcomes);
    }
  }
}

/** `outcomesOf`: asks what became of the whole group. */
function rejectEach(
  group: readonly Waiting[],
  failure: StoreUnavailable,
  outcomesOf: (() => Promise<readonly AppliedChange[] | null>) | null,
): void {
  let next = 0;
  for (const { changes, reject } of group) {
    const first = next;
    next += changes.length;
    if (outcomesOf === null) {
      reject(failure);
      continue;
    }
    const whatBecame = async (): Promise<readonly ChangeOutcome[] | null> => {
      const applied = (await outcomesOf())?.slice(first) ?? null;
      return applied && changes.map(({ change }, index) => changeOutcome(change, applied[index] as AppliedChange));
    };
    reject(new StoreUnavailable(failure.message, "unknown", { cause: failure.cause, whatBecame }));
  }
}

function refuse(behind: readonly Waiting[]): void {
  for (const { reject } of behind) reject(notBehind("rolled_back"));
}

function notBehind(outcome: StoreUnavailable["outcome"]): StoreUnavailable {
  return new StoreUnavailable("What was to be written before it was not.", outcome);
}

/** The database was not reached, so no change of the group is at fault. */
function isAway(failure: StoreUnavailable): boolean {
  return failureOf(failure.cause).failure !== "rolled_back" || failureOf(failure.cause).retry;
}

/** It was sent behind a group that is applied by now (`GN003`), or another backend is at the same group: the next try hears what came of it. */
function isOfGroups(error: unknown): boolean {
  if (errorCode(error) === "GN003") return true;
  return errorCode(error) === "23505" && (error as { constraint?: string }).constraint === "change_groups_pkey";
}
