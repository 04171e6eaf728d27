import type { Logger } from "pino";
import { StoreUnavailable, type TaskStore } from "../tasks/task-store.ts";
import type { ArtifactStore, ListedArtifact } from "./artifact-store.ts";

/** Pictures that one bite looks at: a tenth of a second of a disk that has other things to do. */
const BITE = 200;
/** How much older than their time pictures must be. The clocks of server and S3 may differ, and a node may put a picture a while after its
 *  attempt ended. */
const MARGIN_MS = 3_600_000;

export interface StrayPicturesOptions {
  readonly store: Pick<TaskStore, "attempt" | "task">;
  readonly artifacts: Pick<ArtifactStore, "list" | "delete">;
  /** Younger pictures are left alone, whoever names them. */
  readonly artifactTtlMs: number;
  readonly wallMs: () => number;
  readonly logger: Logger;
}

/** Removes pictures of attempts that no task names, which faults leave: of an attempt that was open when its server ended and that lost
 *  later, or that could not be removed when it ended. Goes through all that is kept, round after round. Servers that share a store may do
 *  so at once: each asks the store of tasks, and a picture that is gone is none the less removed. */
export class StrayPictures {
  readonly #options: StrayPicturesOptions;
  /** The round that is under way. */
  #round: AsyncIterator<ListedArtifact> | null = null;

  constructor(options: StrayPicturesOptions) {
    this.#options = options;
  }

  /** Looks at the next few. True where more come in this round. */
  async bite(): Promise<boolean> {
    const strays: string[] = [];
    for (const [attemptId, keys] of await this.#nextOld()) {
      const needed = await this.#neededOf(attemptId);
      if (needed !== "all") strays.push(...keys.filter((key) => !needed.includes(key)));
    }
    await this.#options.artifacts.delete(strays);
    if (strays.length > 0)
      this.#options.logger.info({ pictures: strays.length }, "removed pictures that no task names");
    return this.#round !== null;
  }

  /** Those of the next few that are past their time, by attempt. */
  async #nextOld(): Promise<ReadonlyMap<string, readonly string[]>> {
    const { artifacts, artifactTtlMs, wallMs } = this.#options;
    const old = new Map<string, string[]>();
    const beforeMs = wallMs() - artifactTtlMs - MARGIN_MS;
    const round = this.#round ?? artifacts.list("attempts")[Symbol.asyncIterator]();
    // A list that breaks off is begun anew.
    this.#round = null;
    for (let looked = 0; looked < BITE; looked++) {
      const next = await round.next();
      if (next.done) return old;
      const { key, modifiedAtMs } = next.value;
      if (modifiedAtMs >= beforeMs) continue;
      const attemptId = key.split("/")[1] ?? "";
      old.set(attemptId, [...(old.get(attemptId) ?? []), key]);
    }
    this.#round = round;
    return old;
  }

  /** Keys that must stay of an attempt that is past its time. */
  async #neededOf(attemptId: string): Promise<"all" | readonly (string | null)[]> {
    const { store } = this.#options;
    try {
      // In this order: an attempt closes in the transaction in which its task comes to name what it brought.
      const attempt = await store.attempt(attemptId);
      if (attempt === null) return [];
      if (attempt.open) return "all";
      const task = await store.task(attempt.taskId);
      return task?.artifacts.map(({ key }) => key) ?? [];
    } catch (error) {
      // The store is away, or a newer version wrote the task: a later round tells.
      if (error instanceof StoreUnavailable) return "all";
      throw error;
    }
  }
}
