import pg from "pg";
import { StoreUnavailable } from "../../tasks/task-store.ts";
import { errorCode, errorReason } from "../error-code.ts";

/** A caller hears within two seconds that the database is away. */
export const CALL_MS_MAX = 1_500;

/** How long a start waits for transactions that hold what this server has to take up, in milliseconds. Longer than the database lets one of
 *  ours stand still (`idle_in_transaction_session_timeout`). */
export const START_WAIT_MS = 15_000;

/** Numbers as numbers: instants and counts stay far below 2^53. */
const TYPES: pg.CustomTypesConfig = {
  getTypeParser(id: number, format?: "text" | "binary") {
    return id === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(id, format as "text");
  },
};

/** How every connection of the store is set up. `callMs` bounds the wait for a statement. */
export function connectionSettings(url: string, callMs: number): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: "genai-server",
    types: TYPES,
    connectionTimeoutMillis: Math.min(callMs, CALL_MS_MAX),
    query_timeout: callMs,
    statement_timeout: 10_000,
    lock_timeout: 2_000,
    idle_in_transaction_session_timeout: 10_000,
    keepAlive: true,
    // Each statement is planned once for a connection: they find their rows by indexes whatever the values are, and to plan one anew took
    // longer than to run it.
    options: "-c search_path=genai -c plan_cache_mode=force_generic_plan -c jit=off",
  };
}

/** A pool for the store. `opened` is called with each new connection, which serves nobody before that has resolved. */
export function makePool(
  url: string,
  options: {
    readonly max: number;
    readonly callMs: number;
    readonly opened?: (client: pg.ClientBase) => Promise<void>;
  },
): pg.Pool {
  const { max, callMs, opened } = options;
  const pool = new pg.Pool({ ...connectionSettings(url, callMs), max, ...(opened && { onConnect: opened }) });
  // A connection that breaks is dropped by the pool, and whoever uses it hears of it by their next statement. Without listeners the
  // process would die of it: of an idle one, and of one that is between two statements of a transaction.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

/** How a failed call stands. `rolled_back`: the database said no, nothing of it holds. `unsent`: it never got there.
 *  `unknown`: the answer is missing, it may hold. */
export type Failure = "rolled_back" | "unsent" | "unknown";

/** Errors after which the same call may succeed at once: serialization, deadlock, start of the database, lock timeout. */
const RETRIED = new Set(["40001", "40P01", "57P03", "55P03"]);

/** A code of the database's, each of which has a digit: the system's are words, and some have five letters too (`EPIPE`). */
const SQL_STATE = /^(?=.*\d)[0-9A-Z]{5}$/;

export function failureOf(error: unknown): { readonly failure: Failure; readonly retry: boolean } {
  const code = errorCode(error);
  if (SQL_STATE.test(code)) {
    if (broke(error)) return { failure: "unknown", retry: true };
    return { failure: "rolled_back", retry: RETRIED.has(code) };
  }
  const message = errorReason(error);
  const unsent =
    ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"].includes(code) ||
    message.includes("timeout exceeded when trying to connect") ||
    message.includes("Connection terminated due to connection timeout");
  return { failure: unsent ? "unsent" : "unknown", retry: true };
}

/** Whether the database broke off while it worked, before or after its commit: it was shut down, it gave up over its log, or a pooler lost it
 *  (class 08). */
function broke(error: unknown): boolean {
  const isPanic = (error as { readonly severity?: string }).severity === "PANIC";
  return isPanic || /^(08|57P0[12])/.test(errorCode(error));
}

export function unavailable(error: unknown, failure: Failure): StoreUnavailable {
  const outcome = failure === "unknown" ? "unknown" : "rolled_back";
  return new StoreUnavailable(`The database does not answer: ${errorReason(error)}.`, outcome, { cause: error });
}
