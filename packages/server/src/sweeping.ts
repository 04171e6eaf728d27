import type { Logger } from "pino";
import type { Retention } from "./retention.ts";
import { StoreUnavailable } from "./tasks/task-store.ts";
import type { Uploads } from "./uploads/uploads.ts";

/** Between two bites while there is more to remove, and between two looks. Milliseconds. */
const PAUSE_MS = 50;
const IDLE_MS = 60_000;
/** Between two looks at the input images: those are listed one by one. */
const UPLOADS_MS = 3_600_000;

/** Removes what is kept no longer, a bite at a time. Returns the end of it. */
export function startSweeping(options: {
  readonly retention: Retention;
  readonly uploads: Uploads;
  readonly logger: Logger;
}): () => void {
  const { retention, uploads, logger } = options;
  let timer: NodeJS.Timeout | null = null;
  let ended = false;
  let nextUploadsAtMs = Date.now() + UPLOADS_MS;
  const bite = async (): Promise<void> => {
    let more = false;
    try {
      more = await retention.bite();
      if (Date.now() >= nextUploadsAtMs) {
        nextUploadsAtMs = Date.now() + UPLOADS_MS;
        await uploads.sweep(Date.now());
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
