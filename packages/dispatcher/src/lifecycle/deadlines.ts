import type { Core } from "../core.ts";
import type { AttemptRecord } from "../state/attempt-record.ts";
import type { Timer } from "../state/timer.ts";
import { armLease, freeSlot } from "./attempt.ts";
import { endRest } from "./breaker.ts";
import { ageConduct } from "./conduct.ts";
import { expire } from "./provider.ts";
import { passLimit } from "./result.ts";
import { endSkips, reconsider, settle } from "./task.ts";
import { changeTaskState } from "./user.ts";

/** Carries out one timer that came due. */
export function fire(core: Core, timer: Timer): void {
  switch (timer.type) {
    case "taskExpires":
      settle(core, timer.subject, { state: "failed", code: "deadline_exceeded", attempt: null });
      break;
    case "taskReady":
      changeTaskState(core, timer.subject, "waiting");
      break;
    case "skipEnds":
      endSkips(core, timer.subject);
      break;
    case "holdEnds":
      core.placement.wake(timer.subject);
      break;
    case "leaseEnds":
      endLease(core, timer.subject);
      break;
    case "limitPasses":
      passLimit(core, timer.subject);
      break;
    case "graceEnds":
      timer.subject.graceOver = true;
      reconsider(core, timer.subject.task, "lost");
      break;
    case "slotReleases":
      freeSlot(core, timer.subject);
      break;
    case "restEnds":
      endRest(core, timer.subject);
      break;
    case "conductAges":
      ageConduct(core, timer.subject);
      break;
    case "slownessAges":
      core.placement.ageSlowness(timer.subject);
      break;
  }
}

/** Silence for a whole lease. Where the provider was heard meanwhile the lease is only armed anew. */
function endLease(core: Core, attempt: AttemptRecord): void {
  const { provider } = attempt;
  const fromMs = Math.max(attempt.startedAtMs, provider.lastHeardAtMs);
  // While its connection is gone nothing renews: what was heard before it broke is in the armed time already.
  if (fromMs + core.options.leaseMs > core.nowMs || core.nowMs < core.amnestyUntilMs) {
    armLease(core, attempt);
    return;
  }
  if (provider.online) {
    provider.silent = true;
    core.placement.providerChanged(provider);
  }
  if (core.planted.has("slotKeptAtLeaseEnd")) {
    const kept = provider.attempts;
    expire(core, attempt);
    kept.push(attempt);
    return;
  }
  expire(core, attempt);
}
