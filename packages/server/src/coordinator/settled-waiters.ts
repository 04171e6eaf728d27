import type { StoredTask } from "../tasks/stored-task.ts";
import type { EndWait } from "./task-service.ts";

type Resolve = (task: StoredTask | null) => void;

/** Callers that wait for the end of a task. */
export class SettledWaiters {
  readonly #waiting = new Map<string, Set<Resolve>>();

  /** Waits for a task's end; in vain when the time is up (null: no bound) or the server closes. */
  wait(taskId: string, timeoutMs: number | null): EndWait {
    let giveUp = (): void => {};
    const ended = new Promise<StoredTask | null>((resolve) => {
      const end: Resolve = (task) => {
        if (timer !== null) clearTimeout(timer);
        const waiting = this.#waiting.get(taskId);
        waiting?.delete(end);
        if (waiting?.size === 0) this.#waiting.delete(taskId);
        resolve(task);
      };
      giveUp = () => end(null);
      const timer = timeoutMs === null ? null : setTimeout(giveUp, timeoutMs);
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

  /** Nobody gets an answer any more. */
  close(): void {
    for (const waiting of [...this.#waiting.values()]) for (const end of [...waiting]) end(null);
  }
}
