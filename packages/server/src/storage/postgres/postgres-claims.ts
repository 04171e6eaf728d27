import { randomUUID } from "node:crypto";
import type { Pool } from "pg";
import type { ClaimedTask, ClaimRequest } from "../../tasks/task-store.ts";
import { TASK_COLUMNS, TASK_TABLES } from "../columns.ts";
import { decodeTask, type TaskRow } from "../task-row.ts";
import { plain } from "./change-argument.ts";
import { failureOf } from "./connection.ts";

/** A claim that was asked for and has not been answered in full. */
interface PendingClaim {
  readonly groupId: string;
  readonly request: ClaimRequest;
}

/** Takes waiting tasks into this server's window. A claim whose connection broke is asked for again under the same id at the
 *  next call: what it took is then handed out and never left lying in nobody's hands. */
export class PostgresClaims {
  readonly #pool: Pool;
  readonly #serverId: string;
  readonly #pending: PendingClaim[] = [];
  #afterUser = 0;

  constructor(pool: Pool, serverId: string) {
    this.#pool = pool;
    this.#serverId = serverId;
  }

  async claim(request: ClaimRequest): Promise<readonly ClaimedTask[]> {
    const tasks: ClaimedTask[] = [];
    for (let unanswered = this.#pending[0]; unanswered; unanswered = this.#pending[0]) {
      tasks.push(...(await this.#ask(unanswered)));
      this.#pending.shift();
      // Enough for one call; the next one goes on.
      if (tasks.length >= request.limit) return tasks;
    }
    const claim = { groupId: randomUUID(), request };
    try {
      return [...tasks, ...(await this.#ask(claim))];
    } catch (error) {
      if (failureOf(error).failure === "unknown") this.#pending.push(claim);
      if (tasks.length > 0) return tasks;
      throw error;
    }
  }

  async #ask(claim: PendingClaim): Promise<readonly ClaimedTask[]> {
    const { classKeys, limit, costMin } = claim.request;
    const { rows } = await this.#pool.query({
      name: "claim",
      text: "SELECT claim_tasks($1, $2, $3, $4, $5, $6) AS claimed",
      values: [claim.groupId, this.#serverId, classKeys.map(plain), limit, costMin, this.#afterUser],
    });
    const { seqs, after } = JSON.parse(rows[0]?.claimed) as {
      readonly seqs: readonly number[];
      readonly after: number;
    };
    const tasks = seqs.length === 0 ? [] : await this.#read(seqs);
    this.#afterUser = after;
    return tasks;
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
