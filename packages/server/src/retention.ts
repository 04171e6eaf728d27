import type { Logger } from "pino";
import type { ArtifactStore } from "./artifacts/artifact-store.ts";
import type { ExpiredTask, TaskStore } from "./tasks/task-store.ts";

/** Rows that one bite removes at most: a busy server does not feel it. */
const BITE = 200;

export interface RetentionOptions {
  readonly store: Pick<TaskStore, "sweep">;
  readonly artifacts: Pick<ArtifactStore, "delete">;
  readonly taskTtlMs: number;
  readonly artifactTtlMs: number;
  readonly inputTtlMs: number;
  readonly logger: Logger;
  /** Hears what the store ended, before anything else that the store says. */
  readonly onExpired: (tasks: readonly ExpiredTask[]) => void;
}

/** Removes what is kept no longer: ended tasks after `taskTtlMs`, their pictures after `artifactTtlMs`, their large inputs after
 *  `inputTtlMs`. */
export class Retention {
  readonly #options: RetentionOptions;
  /** Pictures whose bytes are gone, until the store knows. */
  #removedKeys: readonly string[] = [];

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** Removes the next few. True where there may be more. */
  async bite(): Promise<boolean> {
    const { store, artifacts, taskTtlMs, artifactTtlMs, inputTtlMs, logger, onExpired } = this.#options;
    const removedKeys = this.#removedKeys;
    const swept = await store.sweep({ taskTtlMs, artifactTtlMs, inputTtlMs, limit: BITE, removedKeys });
    const { deleted, expired, artifactKeys, inputs, more } = swept;
    onExpired(expired);
    this.#removedKeys = [];
    await artifacts.delete(artifactKeys);
    this.#removedKeys = artifactKeys;
    const removed = deleted + expired.length + artifactKeys.length + inputs;
    if (removed > 0)
      logger.debug({ deleted, expired: expired.length, artifacts: artifactKeys.length, inputs }, "swept");
    return more || removed >= BITE;
  }
}
