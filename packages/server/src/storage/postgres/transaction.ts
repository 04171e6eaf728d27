import type { ClientBase, Pool } from "pg";

/** Runs `work` in one transaction on a connection of its own. */
export async function inTransaction<Result>(
  pool: Pool,
  work: (client: ClientBase) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    client.release();
    return result;
  } catch (error) {
    // Thrown away rather than rolled back: that is the end of the transaction in every case, broken connections included.
    client.release(true);
    throw error;
  }
}
