import { randomUUID } from "node:crypto";
import type { Pool } from "pg";
import type { ClaimedTask, ClaimRequest } from "../../tasks/task-store.ts";
import { TASK_COLUMNS, TASK_TABLES } from "../columns.ts";
import { decodeTask, type TaskRow } from "../task-row.ts";
import { plain } from "./change-argument.ts";

/** Takes waiting tasks into this server's window. No claim waits for the database's disk, since nothing is told of it: the opening of
 *  an attempt, which is, goes to the disk behind its claim. After a crash of the database a task may wait unclaimed again that is in
 *  a window; the guard of the opening decides between two that have it. What a claim took whose answer never came is given back before the next one,
 *  so that it does not lie in nobody's hands. */
export class PostgresClaims {
  readonly #pool: Pool;
  readonly #serverId: string;
  readonly #lost: string[] = [];
  #afterUser = 0;

  constructor(pool: Pool, serverId: string) {
    this.#pool = pool;
    this.#serverId = serverId;
  }

  async claim({ classKeys, limit, costMin }: ClaimRequest): Promise<readonly ClaimedTask[]> {
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
      await this.#pool.query("SELECT release_group($1)", [lost]);
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
