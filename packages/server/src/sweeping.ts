import type { Logger } from "pino";
import type { StrayPictures } from "./artifacts/stray-pictures.ts";
import type { Retention } from "./retention.ts";
import { StoreUnavailable } from "./tasks/task-store.ts";
import type { Uploads } from "./uploads/uploads.ts";

/** How long to wait, in milliseconds, before the next bite where there is more to do, and before the next look where there is not. */
interface Pace {
  readonly pauseMs: number;
  readonly idleMs: number;
}

const RETENTION: Pace = { pauseMs: 50, idleMs: 60_000 };
/** What has to be listed one by one: a million pictures in half an hour. */
const LISTING: Pace = { pauseMs: 250, idleMs: 3_600_000 };

/** Removes what is kept no longer, or was left behind, a bite at a time. Returns the end of it. */
export function startSweeping(options: {
  readonly retention: Retention;
  readonly strays: StrayPictures;
  readonly uploads: Uploads;
  readonly logger: Logger;
}): () => void {
  const { retention, strays, uploads, logger } = options;
  const sweepUploads = async (): Promise<boolean> => {
    await uploads.sweep(Date.now());
    return false;
  };
  const ends = [
    repeat(() => retention.bite(), RETENTION, logger),
    repeat(() => strays.bite(), LISTING, logger),
    repeat(sweepUploads, LISTING, logger),
  ];
  return () => {
    for (const end of ends) end();
  };
}

/** Calls `bite` for ever; it says whether there is more. The first call is after an idle time. */
function repeat(bite: () => Promise<boolean>, { pauseMs, idleMs }: Pace, logger: Logger): () => void {
  let timer: NodeJS.Timeout | null = null;
  let ended = false;
  const next = async (): Promise<void> => {
    let more = false;
    try {
      more = await bite();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) logger.error({ err: error }, "a sweep failed; it goes on later");
    }
    if (!ended) timer = setTimeout(() => void next(), more ? pauseMs : idleMs);
  };
  timer = setTimeout(() => void next(), idleMs);
  return () => {
    ended = true;
    if (timer !== null) clearTimeout(timer);
  };
}
