import type { StoredTask } from "../tasks/stored-task.ts";

type Resolve = (task: StoredTask | null) => void;

/** Callers that wait for the end of a task. */
export class SettledWaiters {
  readonly #waiting = new Map<string, Set<Resolve>>();

  /** Resolves with the task at its end, or with null when the time is up (null: no bound), the signal fires or the server closes. */
  wait(taskId: string, timeoutMs: number | null, signal: AbortSignal | null): Promise<StoredTask | null> {
    return new Promise((resolve) => {
      if (signal?.aborted) {
        resolve(null);
        return;
      }
      const giveUp = (): void => end(null);
      const timer = timeoutMs === null ? null : setTimeout(giveUp, timeoutMs);
      const end: Resolve = (task) => {
        if (timer !== null) clearTimeout(timer);
        signal?.removeEventListener("abort", giveUp);
        const waiting = this.#waiting.get(taskId);
        waiting?.delete(end);
        if (waiting?.size === 0) this.#waiting.delete(taskId);
        resolve(task);
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      const waiting = this.#waiting.get(taskId);
      if (waiting === undefined) this.#waiting.set(taskId, new Set([end]));
      else waiting.add(end);
    });
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
