import type { Core } from "../core.ts";

/** What a user has here. */
export interface UserDemand {
  readonly userId: string;
  /** Tasks that wait in the queue or for their backoff. */
  readonly waiting: number;
  /** Tasks with a live attempt. */
  readonly running: number;
  /** GPU seconds that the queued ones will take, by the estimates of the moment at which each began to wait. */
  readonly gpuSeconds: number;
  /** Age of its oldest queued task, in seconds since it was submitted; 0 where none is queued. */
  readonly oldestSeconds: number;
}

/** Users with unsettled tasks. Costs as much as there are queued tasks. */
export function readUsers(core: Core): UserDemand[] {
  const users = [...core.users.values()].filter((user) => user.tasks > 0);
  return users.map(({ userId, queued, running, lanes }) => {
    let gpuMs = 0;
    let oldestMs = 0;
    for (const lane of lanes) {
      for (const task of lane.tasks.values()) {
        gpuMs += task.demandMs;
        oldestMs = Math.max(oldestMs, core.nowMs - task.submittedAtMs);
      }
    }
    return { userId, waiting: queued, running, gpuSeconds: gpuMs / 1_000, oldestSeconds: oldestMs / 1_000 };
  });
}
