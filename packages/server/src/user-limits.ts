import type { UserLimits } from "@genai/dispatcher";
import type { Configuration } from "./configuration/configuration.ts";
import type { Credentials } from "./identity/credentials.ts";

/** What a user may do: as configured for everybody, but for what the user's API keys say. */
export function configuredUserLimits(
  configuration: Configuration,
  credentials: Credentials,
): (userId: string) => UserLimits {
  const limits: UserLimits = {
    weight: 1,
    userClass: 0,
    queuedMax: configuration.QUEUED_TASKS_MAX,
    runningMax: configuration.RUNNING_TASKS_MAX,
  };
  return (userId) => ({ ...limits, ...credentials.limitsOf(userId) });
}
