import type { TaskFollower } from "../server/follow-task.ts";
import type { Progress } from "./progress.ts";

/** Shows where a task is. */
export function progressFollower(progress: Progress): TaskFollower {
  let attempt = 0;
  return {
    onState: (state, event) => {
      if (state === "queued") progress.update(0, attempt === 0 ? "Queued" : "Queued again");
      if (state === "running") progress.update(0, event.nodeId ? `Running on ${event.nodeId}` : "Running");
    },
    onProgress: (event) => {
      attempt = event.attempt;
      progress.update(event.value, event.stage || "Running");
    },
  };
}
