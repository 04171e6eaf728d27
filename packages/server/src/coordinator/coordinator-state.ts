import type { Provider, UserLimits } from "@genai/dispatcher";
import type { Tracing } from "@genai/tracing";
import type { Logger } from "pino";
import type { UploadLimits } from "../artifacts/attempt-uploads.ts";
import type { Clock } from "../clock.ts";
import type { SlotMap } from "../slot-map.ts";
import type { TaskStore } from "../tasks/task-store.ts";
import type { AttemptIndex } from "./attempt-index.ts";
import type { CommitLoop } from "./commit-loop.ts";
import type { DispatcherLoop } from "./dispatcher-loop.ts";
import type { LiveTask } from "./live-task.ts";
import type { NewsHub } from "./news-hub.ts";
import type { NodeSessions } from "./node-sessions.ts";
import type { NodeTallies } from "./node-tallies.ts";
import type { SettledWaiters } from "./settled-waiters.ts";
import type { UserCounts } from "./user-counts.ts";

/** What the coordinator's parts share. The coordinator owns it; each part changes only what its own page says. */
export interface CoordinatorState {
  readonly store: TaskStore;
  readonly sessions: NodeSessions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tracing: Tracing;
  /** A task without a deadline is given up after this long, in milliseconds. */
  readonly taskTtlMs: number;
  readonly userLimits: (userId: string) => UserLimits;
  readonly loop: DispatcherLoop;
  readonly commits: CommitLoop;
  readonly news: NewsHub;
  readonly waiters: SettledWaiters;
  /** Waiting tasks of each user. */
  readonly queued: UserCounts;
  /** Bytes of each user's large inputs, and how many there may be; null for no bound. */
  readonly inputBytes: UserCounts;
  readonly inputBytesMax: number | null;
  /** The window, by task id. */
  readonly tasks: SlotMap<string, LiveTask>;
  readonly attempts: AttemptIndex;
  /** Nodes that joined, until what they said before the end of their connection is heard out. */
  readonly providers: Map<string, Provider>;
  readonly tallies: NodeTallies;
  readonly uploadLimits: UploadLimits;
  /** Removes pictures that no result names. Fire and forget: what a fault leaves is swept later. */
  readonly discard: (keys: readonly string[]) => void;
}

/** What a caller is told to wait while the store is away, in milliseconds. */
export const STORE_AWAY_RETRY_MS = 2_000;
