import { randomUUID } from "node:crypto";
import type { ClientBase, Pool, QueryConfig } from "pg";
import { StoreUnavailable } from "../../tasks/task-store.ts";
import { type AttemptRow, decodeAttempt } from "../attempt-row.ts";
import { ATTEMPT_COLUMNS, TASK_COLUMNS, TASK_TABLES } from "../columns.ts";
import type { RecoveredBatch, RecoveredTask } from "../recovered-task.ts";
import { decodeTask, ROW_FORMAT, type TaskRow } from "../task-row.ts";
import { START_WAIT_MS } from "./connection.ts";
import { isTimeout } from "./server-connections.ts";
import { LIVING_SERVERS } from "./server-lease.ts";
import { inTransaction } from "./transaction.ts";

const BATCH_TASKS = 500;

/** Held tasks, with what a claim was. Ordered by a sum, which no index has: the index of what is held leads there, not the one of all tasks
 *  by their numbers. */
const heldTasks = (which: string): string =>
  `SELECT seq, ${TASK_COLUMNS} FROM ${TASK_TABLES} WHERE claimed_by IS NOT NULL AND ${which} ORDER BY seq + 0`;

type HeldRow = TaskRow & { readonly seq: number };

/** Takes up what was held and nobody works on: by this server before its start, or by servers that are gone. Tasks with an open attempt stay
 *  held, the others wait again.
 *
 *  What it takes over from others is this server's with the commit, and nobody would look for it again. So it is written down in the same
 *  transaction, as claims are, and a takeover whose answer never came is asked for before the next one. */
export class PostgresRecovery {
  readonly #pool: Pool;
  readonly #serverId: string;
  /** Takeovers of which nobody knows how they ended, by the ids of their groups. */
  readonly #lost: string[] = [];

  constructor(pool: Pool, serverId: string) {
    this.#pool = pool;
    this.#serverId = serverId;
  }

  /** A batch of what this server held before. Waits for whoever has them locked, since nobody looks a second time: another server that began
   *  to take them over when this one was away. Throws {@link StoreUnavailable} where that takes longer than {@link START_WAIT_MS}. */
  async ownBatch(after: number): Promise<RecoveredBatch> {
    try {
      return await inTransaction(this.#pool, async (client) => {
        await client.query(`SET LOCAL lock_timeout = ${START_WAIT_MS}; SET LOCAL statement_timeout = ${START_WAIT_MS}`);
        const { rows } = await client.query<HeldRow>({
          text: `${heldTasks("claimed_by = $1 AND seq > $2")} LIMIT ${BATCH_TASKS} FOR NO KEY UPDATE OF tasks`,
          values: [this.#serverId, after],
          query_timeout: START_WAIT_MS + 1_000,
        } as QueryConfig);
        const { tasks, released } = await this.#sorted(client, rows);
        await client.query("SELECT release_claims($1::bigint[])", [released]);
        return { tasks: tasks.map(({ task }) => task), next: nextAfter(rows) };
      });
    } catch (error) {
      if (!isTimeout(error)) throw error;
      const message = `Tasks that this server held have been locked in the database by somebody else for ${START_WAIT_MS / 1000} s.`;
      throw new StoreUnavailable(message, "rolled_back", { cause: error });
    }
  }

  /** A batch of what servers held that are gone. What another takes over or works on at this moment is left to it, or to the next time. */
  async batchOfTheGone(after: number): Promise<RecoveredBatch> {
    const groupId = randomUUID();
    try {
      return await inTransaction(this.#pool, async (client) => {
        const { rows } = await client.query<HeldRow>(
          `${heldTasks(`seq > $2 AND claimed_by <> $1 AND claimed_by NOT IN (${LIVING_SERVERS})`)}
           LIMIT ${BATCH_TASKS} FOR NO KEY UPDATE OF tasks SKIP LOCKED`,
          [this.#serverId, after],
        );
        const { tasks, released } = await this.#sorted(client, rows);
        const seqs = tasks.map(({ seq }) => seq);
        if (seqs.length > 0) {
          await client.query("UPDATE tasks SET claimed_by = $1 WHERE seq = ANY($2::bigint[])", [this.#serverId, seqs]);
          await client.query("INSERT INTO change_groups VALUES ($1, $2, now_ms())", [
            groupId,
            JSON.stringify({ seqs }),
          ]);
        }
        await client.query("SELECT release_claims($1::bigint[])", [released]);
        return { tasks: tasks.map(({ task }) => task), next: nextAfter(rows) };
      });
    } catch (error) {
      this.#lost.push(groupId);
      throw error;
    }
  }

  /** What an earlier takeover brought without a word, once it is certain that it did; nothing where there is none. */
  async lostBatch(): Promise<readonly RecoveredTask[]> {
    const groupId = this.#lost[0];
    if (groupId === undefined) return [];
    const found = await inTransaction(this.#pool, async (client) => {
      await client.query("SELECT fence(ARRAY[$1::uuid])", [groupId]);
      const { rows } = await client.query<HeldRow>(
        heldTasks(`claimed_by = $1 AND seq = ANY(ARRAY(SELECT jsonb_array_elements_text(outcomes::jsonb -> 'seqs')::bigint
          FROM change_groups WHERE group_id = $2 AND outcomes IS NOT NULL))`),
        [this.#serverId, groupId],
      );
      return await this.#sorted(client, rows);
    });
    this.#lost.shift();
    return found.tasks.map(({ task }) => task);
  }

  /** Parts the rows that this program knows: tasks that somebody may still work on, and the numbers of those that only wait. */
  async #sorted(client: ClientBase, rows: readonly HeldRow[]) {
    const known = rows.filter((row) => row.format <= ROW_FORMAT);
    const { rows: attempts } = await client.query<AttemptRow & { taskSeq: number }>(
      `SELECT task_seq AS "taskSeq", ${ATTEMPT_COLUMNS} FROM attempts JOIN tasks ON tasks.seq = attempts.task_seq
       WHERE open = 1 AND task_seq = ANY($1::bigint[]) ORDER BY task_seq, attempt`,
      [known.map((row) => row.seq)],
    );
    const tasks: { readonly seq: number; readonly task: RecoveredTask }[] = [];
    const released: number[] = [];
    for (const row of known) {
      const open = attempts.filter((attempt) => attempt.taskSeq === row.seq).map(decodeAttempt);
      const task = decodeTask(row);
      if (open.length > 0 || task.state === "running")
        tasks.push({ seq: row.seq, task: { task, classKey: row.classKey, open } });
      else released.push(row.seq);
    }
    return { tasks, released };
  }
}

function nextAfter(rows: readonly HeldRow[]): number | null {
  return rows.length < BATCH_TASKS ? null : (rows.at(-1)?.seq ?? null);
}
