import { randomUUID } from "node:crypto";
import type { Pool } from "pg";
import type { ClaimedTask, ClaimRequest } from "../../tasks/task-store.ts";
import { TASK_COLUMNS, TASK_TABLES } from "../columns.ts";
import { decodeTask, type TaskRow } from "../task-row.ts";
import { plain } from "./change-argument.ts";

/** Most tasks of one claim, and of claims that are made together. */
const CLAIM_MAX = 10_000;

interface WaitingClaim {
  readonly request: ClaimRequest;
  readonly resolve: (claimed: readonly ClaimedTask[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Takes waiting tasks into this server's window. One claim is under way at a time, since each begins behind the user where the one before
 *  ended; those for the same tasks that come up meanwhile are made together. No claim waits for the database's disk, since nothing is told of it: the opening of
 *  an attempt, which is, goes to the disk behind its claim. After a crash of the database a task may wait unclaimed again that is in
 *  a window; the guard of the opening decides between two that have it. What a claim took whose answer never came is given back before the next one,
 *  so that it does not lie in nobody's hands. */
export class PostgresClaims {
  readonly #pool: Pool;
  readonly #serverId: string;
  readonly #lost: string[] = [];
  readonly #waiting: WaitingClaim[] = [];
  #claiming = false;
  #afterUser = 0;

  constructor(pool: Pool, serverId: string) {
    this.#pool = pool;
    this.#serverId = serverId;
  }

  claim(request: ClaimRequest): Promise<readonly ClaimedTask[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      if (!this.#claiming) void this.#claimWaiting();
    });
  }

  async #claimWaiting(): Promise<void> {
    this.#claiming = true;
    for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) {
      const together = this.#takeLike(first.request);
      const limit = together.reduce((sum, { request }) => sum + request.limit, 0);
      try {
        const claimed = [...(await this.#claim({ ...first.request, limit }))];
        for (const { request, resolve } of together) resolve(claimed.splice(0, request.limit));
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    this.#claiming = false;
  }

  /** Takes out the waiting claims for the same tasks as the first. */
  #takeLike(first: ClaimRequest): readonly WaitingClaim[] {
    let room = CLAIM_MAX;
    const together: WaitingClaim[] = [];
    const others: WaitingClaim[] = [];
    for (const waiting of this.#waiting.splice(0)) {
      const isLike = together.length === 0 || (asksTheSame(waiting.request, first) && waiting.request.limit <= room);
      if (isLike) room -= waiting.request.limit;
      (isLike ? together : others).push(waiting);
    }
    this.#waiting.push(...others);
    return together;
  }

  async #claim({ classKeys, limit, costMin }: ClaimRequest): Promise<readonly ClaimedTask[]> {
    await this.#giveBack();
    const groupId = randomUUID();
    try {
      const { rows } = await this.#pool.query({
        name: "claim",
        text: `SELECT claim_tasks($1, $2, $3, $4, $5, $6) AS claimed, set_config('synchronous_commit', 'off', true)`,
        values: [groupId, this.#serverId, classKeys.map(plain), limit, costMin, this.#afterUser],
      });
      const { seqs, after } = JSON.parse(rows[0]?.claimed) as {
        readonly seqs: readonly number[];
        readonly after: number;
      };
      const tasks = seqs.length === 0 ? [] : await this.#read(seqs);
      this.#afterUser = after;
      return tasks;
    } catch (error) {
      this.#lost.push(groupId);
      throw error;
    }
  }

  async #giveBack(): Promise<void> {
    for (let lost = this.#lost[0]; lost !== undefined; lost = this.#lost[0]) {
      await this.#pool.query("SELECT release_group($1, $2)", [lost, this.#serverId]);
      this.#lost.shift();
    }
  }

  async #read(seqs: readonly number[]): Promise<readonly ClaimedTask[]> {
    const { rows } = await this.#pool.query<TaskRow>({
      name: "claimed",
      text: `SELECT ${TASK_COLUMNS} FROM ${TASK_TABLES} JOIN unnest($1::bigint[]) WITH ORDINALITY AS taken (seq, place) USING (seq)
             ORDER BY place`,
      values: [seqs],
    });
    return rows.map((row) => ({ task: decodeTask(row), classKey: row.classKey }));
  }
}

function asksTheSame(one: ClaimRequest, other: ClaimRequest): boolean {
  return (
    one.costMin === other.costMin &&
    one.classKeys.length === other.classKeys.length &&
    one.classKeys.every((classKey, index) => classKey === other.classKeys[index])
  );
}
