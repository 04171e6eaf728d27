import { SERVER_OPERATIONS } from "../openapi/server-operations.ts";
import { V2_OPERATIONS } from "../v2/operations.ts";
import type { CallOf, ResultOf } from "./operation-call.ts";
import { readBounded, Sender } from "./sender.ts";
import { type FollowOptions, followStream, type TaskStreamEvent } from "./task-stream.ts";

export interface ClientOptions {
  /** Where the server is: `http://127.0.0.1:8080`. */
  readonly server: string;
  /** A JWT or an API key. Default: none. */
  readonly token?: string | null;
  /** For the head of an answer, in milliseconds. Default 60 000. */
  readonly timeoutMs?: number;
  /** Ends every call when aborted, with the signal's reason. */
  readonly signal?: AbortSignal;
}

const TABLE = { ...SERVER_OPERATIONS, ...V2_OPERATIONS };
type Table = typeof TABLE;

/** Streams are followed instead of called. */
type Callable = Exclude<keyof Table, "taskEvents" | "userEvents">;

/** Calls without anything that they must be given need no argument. */
type Calls = {
  readonly [Id in Callable]: Record<never, never> extends CallOf<Table[Id]>
    ? (call?: CallOf<Table[Id]>) => Promise<ResultOf<Table[Id]>>
    : (call: CallOf<Table[Id]>) => Promise<ResultOf<Table[Id]>>;
};

/** A call for every operation of `/v2` and of the server itself, by its id, typed by the same table that the server serves from. What goes wrong is thrown:
 *  `ApiProblem` (refused), `ApiUnreachable`, `ApiTimeout`, `UnexpectedAnswer`. */
export interface Client extends Calls {
  /** Events of a task from the first on, without a gap over broken connections and restarts of the server; over with its final state. */
  follow(taskId: string, options?: FollowOptions): AsyncGenerator<TaskStreamEvent, void, undefined>;
  /** The same of all tasks of the caller, from now on; never over by itself. */
  followAll(options?: FollowOptions): AsyncGenerator<TaskStreamEvent, void, undefined>;
  /** A picture's bytes, at most `bytesMax` (default 512 MiB). */
  fetchArtifact(artifact: { readonly url: string }, bytesMax?: number): Promise<Uint8Array>;
}

const TIMEOUT_MS_DEFAULT = 60_000;
const ARTIFACT_BYTES_MAX = 512 * 1_024 * 1_024;

export function createClient({ server, token = null, timeoutMs = TIMEOUT_MS_DEFAULT, signal }: ClientOptions): Client {
  const sender = new Sender({ server, token, timeoutMs, ...(signal !== undefined && { signal }) });
  const calls = Object.fromEntries(
    Object.entries(TABLE)
      .filter(([id]) => id !== "taskEvents" && id !== "userEvents")
      .map(([id, operation]) => [id, (call = {}) => sender.call(operation, call)] as const),
  );
  return {
    // The table makes both these functions and their types.
    ...(calls as unknown as Calls),
    follow: (taskId, options = {}) =>
      followStream(sender, `/v2/tasks/${encodeURIComponent(taskId)}/events`, true, options),
    followAll: (options = {}) => followStream(sender, "/v2/events", false, options),
    fetchArtifact: async ({ url }, bytesMax = ARTIFACT_BYTES_MAX) =>
      await readBounded(await sender.send("GET", url), bytesMax),
  };
}
