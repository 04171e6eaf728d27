import pg, { type ClientBase } from "pg";
import { errorCode } from "../error-code.ts";
import { StoreRefused } from "../store-refused.ts";
import { connectionSettings, START_WAIT_MS } from "./connection.ts";

/** Of the advisory locks with two numbers, those that stand for servers: "gena" in ASCII. The other number is a hash of the server's name. */
const LOCKS = 0x67656e61;

/** Not this role's to end. */
const NOT_PERMITTED = "42501";

/** Marks a connection, for its life, as one that writes under a server's name. To be its first statement. What is told of is on the disk:
 *  where the database is set to tell of commits before they are, it is not on this connection. */
export async function markConnection(client: ClientBase, serverId: string): Promise<void> {
  await client.query(
    `SELECT pg_advisory_lock_shared(${LOCKS}, hashtext($1)),
       set_config('synchronous_commit', CASE setting WHEN 'off' THEN 'on' ELSE setting END, false)
     FROM current_setting('synchronous_commit') AS setting`,
    [serverId],
  );
}

/** Ends the connections that the process before this one left, and waits until they are gone. A backend outlives its process: it finishes
 *  what it works on, and one whose client's machine is gone holds its transaction and its locks until somebody notices. Behind this
 *  nothing of the process before can come to hold any more, so what is read is all that it left. The caller holds the folder's lock, so
 *  that process is dead, and it told nobody of anything that is rolled back here.
 *  Throws {@link StoreRefused} where they are not gone in {@link START_WAIT_MS}. */
export async function endConnectionsOf(url: string, serverId: string): Promise<void> {
  const client = new pg.Client(connectionSettings(url, START_WAIT_MS + 1_000));
  client.on("error", () => undefined);
  await client.connect();
  try {
    await client
      .query(
        `SELECT pg_terminate_backend(pid) FROM pg_locks
         WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND classid = ${LOCKS} AND objid = (hashtext($1)::bigint & 4294967295)::oid AND objsubid = 2`,
        [serverId],
      )
      .catch((error: unknown) => {
        // They are another role's, since the URL names another user now: they end by themselves, as soon as they notice.
        if (errorCode(error) !== NOT_PERMITTED) throw error;
      });
    await client.query(`SET lock_timeout = ${START_WAIT_MS}; SET statement_timeout = ${START_WAIT_MS}`);
    await client.query(`SELECT pg_advisory_xact_lock(${LOCKS}, hashtext($1))`, [serverId]);
  } catch (error) {
    if (!isTimeout(error)) throw error;
    const message = `The database still works for the process that served this folder before, after ${START_WAIT_MS / 1000} s. Start again once its connections are closed.`;
    throw new StoreRefused("in_use", message, { cause: error });
  } finally {
    await client.end();
  }
}

/** The database gave up a statement that waited for its time. */
export function isTimeout(error: unknown): boolean {
  return ["55P03", "57014"].includes(errorCode(error));
}
