import type { Logger } from "pino";
import type { ArtifactStore } from "./artifacts/artifact-store.ts";
import { StoreUnavailable, type TaskStore } from "./tasks/task-store.ts";
import type { Uploads } from "./uploads/uploads.ts";

/** Rows that one bite removes at most: a busy server does not feel it. */
const BITE = 200;
/** Between two bites while there is more to remove, and between two looks. Milliseconds. */
const PAUSE_MS = 50;
const IDLE_MS = 60_000;
/** Between two looks at the input images: those are listed one by one. */
const UPLOADS_MS = 3_600_000;

/** Removes what is kept no longer: ended tasks after `taskTtlMs`, pictures after `artifactTtlMs`. Returns the end of it. */
export function startSweeping(options: {
  readonly store: TaskStore;
  readonly artifacts: ArtifactStore;
  readonly uploads: Uploads;
  readonly taskTtlMs: number;
  readonly artifactTtlMs: number;
  readonly logger: Logger;
}): () => void {
  const { store, artifacts, uploads, taskTtlMs, artifactTtlMs, logger } = options;
  let timer: NodeJS.Timeout | null = null;
  let ended = false;
  let nextUploadsAtMs = Date.now() + UPLOADS_MS;
  const bite = async (): Promise<void> => {
    let more = false;
    try {
      const {
        deleted,
        expired,
        artifactKeys,
        more: hasMore,
      } = await store.sweep({ taskTtlMs, artifactTtlMs, limit: BITE });
      await artifacts.delete(artifactKeys);
      if (Date.now() >= nextUploadsAtMs) {
        nextUploadsAtMs = Date.now() + UPLOADS_MS;
        await uploads.sweep(Date.now());
      }
      more = hasMore || deleted + expired.length + artifactKeys.length >= BITE;
      if (deleted + expired.length + artifactKeys.length > 0) {
        logger.debug({ deleted, expired: expired.length, artifacts: artifactKeys.length }, "swept");
      }
    } catch (error) {
      if (!(error instanceof StoreUnavailable))
        logger.error({ err: error }, "the sweep failed; it goes on in a minute");
    }
    if (!ended) timer = setTimeout(() => void bite(), more ? PAUSE_MS : IDLE_MS);
  };
  timer = setTimeout(() => void bite(), IDLE_MS);
  return () => {
    ended = true;
    if (timer !== null) clearTimeout(timer);
  };
}
