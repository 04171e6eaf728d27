import { setTimeout as delay } from "node:timers/promises";
import { SlotMap } from "../slot-map.ts";
import type { StoredTask } from "../tasks/stored-task.ts";
import { StoreUnavailable, type TaskStore } from "../tasks/task-store.ts";
import type { EndWait } from "./task-service.ts";

/** After a look in vain. */
const LOOK_AGAIN_MS = 1_000;

type Resolve = (task: StoredTask | null) => void;

/** Callers that wait for the end of a task. */
export class SettledWaiters {
  readonly #store: Pick<TaskStore, "task">;
  readonly #waiting = new SlotMap<string, Set<Resolve>>();

  constructor(store: Pick<TaskStore, "task">) {
    this.#store = store;
  }

  /** Waits for a task's end; in vain when the time is up or the server closes. */
  wait(taskId: string, timeoutMs: number): EndWait {
    let giveUp = (): void => {};
    const ended = new Promise<StoredTask | null>((resolve) => {
      const end: Resolve = (task) => {
        clearTimeout(timer);
        const waiting = this.#waiting.get(taskId);
        waiting?.delete(end);
        if (waiting?.size === 0) this.#waiting.delete(taskId);
        resolve(task);
      };
      giveUp = () => end(null);
      const timer = setTimeout(giveUp, timeoutMs);
      const waiting = this.#waiting.get(taskId);
      if (waiting === undefined) this.#waiting.set(taskId, new Set([end]));
      else waiting.add(end);
    });
    return { ended, giveUp };
  }

  /** The task's end is on the disk. */
  settled(task: StoredTask): void {
    for (const end of [...(this.#waiting.get(task.taskId) ?? [])]) end(task);
  }

  /** Reads whether a task has ended that somebody else may have ended, and tells it. Where the store is away it looks again, as long as
   *  anybody waits. */
  async lookUp(taskId: string): Promise<void> {
    while (this.#waiting.has(taskId)) {
      try {
        const stored = await this.#store.task(taskId);
        if (stored !== null && stored.settledAtMs !== null) this.settled(stored);
        return;
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
      }
      await delay(LOOK_AGAIN_MS, undefined, { ref: false });
    }
  }

  /** Nobody gets an answer any more. */
  close(): void {
    for (const waiting of [...this.#waiting.values()]) for (const end of [...waiting]) end(null);
  }
}
