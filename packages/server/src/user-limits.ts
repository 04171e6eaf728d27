import type { UserLimits } from "@genai/dispatcher";
import type { Configuration } from "./configuration/configuration.ts";

/** What every user may do, as configured. */
export function configuredUserLimits(configuration: Configuration): (userId: string) => UserLimits {
  const limits: UserLimits = {
    weight: 1,
    userClass: 0,
    queuedMax: configuration.QUEUED_TASKS_MAX,
    runningMax: configuration.RUNNING_TASKS_MAX,
  };
  return () => limits;
}
