import type { Core } from "./core.ts";
import type { Refusal, StepResult } from "./effect.ts";
import type { DispatcherInput } from "./input.ts";
import { enterAttempt } from "./lifecycle/attempt.ts";
import { makeRoomForProvider } from "./lifecycle/conduct.ts";
import { fire } from "./lifecycle/deadlines.ts";
import { changeProvider, drainProvider, hearProvider, joinProvider, loseProvider } from "./lifecycle/provider.ts";
import { advance, complete, fail, reject } from "./lifecycle/result.ts";
import { submit } from "./lifecycle/submit.ts";
import { remove, settle } from "./lifecycle/task.ts";
import { changeLimits, changeTaskState } from "./lifecycle/user.ts";
import { AttemptRecord } from "./state/attempt-record.ts";
import type { ProviderRecord } from "./state/provider-record.ts";
import { problemOf } from "./validate.ts";

/** Feeds one input: checks it, lets what came due happen first, applies it, and sends what can be sent now. */
export function step(core: Core, nowMs: number, input: DispatcherInput): StepResult {
  const problem = Number.isFinite(nowMs) ? problemOf(input, core.options) : notATime(nowMs);
  if (problem !== null) return { ok: false, refusal: problem };
  const beforeMs = core.nowMs;
  core.nowMs = Math.max(core.nowMs, nowMs);
  core.effects = [];
  const refusal = apply(core, input);
  if (refusal !== null) {
    core.nowMs = beforeMs;
    return { ok: false, refusal };
  }
  runDue(core);
  send(core);
  return { ok: true, effects: core.effects };
}

function apply(core: Core, input: DispatcherInput): Refusal | null {
  switch (input.type) {
    case "submit":
      return submit(core, input.task);
    case "cancel":
    case "withdraw":
      return takeOut(core, input.taskId, input.type);
    case "userChanged":
      return changeLimits(core, input.userId, input.limits);
    case "providerJoined":
      if (!core.providers.has(input.provider.providerId) && !makeRoomForProvider(core)) {
        const message = `There are ${core.options.providersMax} providers here, which is the most.`;
        return { code: "limit_reached", field: "provider", message };
      }
      joinProvider(core, input.provider, input.held, input.draining ?? false);
      return null;
    case "providerChanged":
      return withProvider(core, input.provider.providerId, (provider) =>
        changeProvider(core, provider, input.provider),
      );
    case "providerLost":
      return withProvider(core, input.providerId, (provider) => loseProvider(core, provider, input.how));
    case "providerHeard":
      return withProvider(core, input.providerId, (provider) => hearProvider(core, provider));
    case "drain":
    case "undrain":
      return withProvider(core, input.providerId, (provider) => drainProvider(core, provider, input.type === "drain"));
    case "sent":
    case "accepted":
    case "progressed":
      return advance(core, input);
    case "completed":
      return complete(core, input);
    case "failed":
      return fail(core, input);
    case "rejected":
      return reject(core, input);
    case "amnesty":
      core.amnestyUntilMs = Math.max(core.amnestyUntilMs, core.nowMs + input.forMs);
      return null;
    case "tick":
      return null;
  }
}

function takeOut(core: Core, taskId: string, how: "cancel" | "withdraw"): Refusal | null {
  const task = core.tasks.get(taskId);
  if (task === undefined) {
    return { code: "unknown_task", field: "taskId", message: `There is no unsettled task ${taskId}.` };
  }
  if (how === "cancel") settle(core, task, { state: "canceled" });
  else remove(core, task, "withdrawn", "stale");
  return null;
}

/** Runs `act` on a connected provider, or refuses. */
function withProvider(core: Core, providerId: string, act: (provider: ProviderRecord) => void): Refusal | null {
  const provider = core.providers.get(providerId);
  if (provider === undefined || !provider.online) {
    return { code: "unknown_provider", field: "providerId", message: `Provider ${providerId} is not connected.` };
  }
  act(provider);
  return null;
}

function runDue(core: Core): void {
  for (let timer = core.timers.takeDue(core.nowMs); timer !== null; timer = core.timers.takeDue(core.nowMs)) {
    fire(core, timer);
  }
}

/** Sends tasks as long as one may go. */
function send(core: Core): void {
  for (let match = core.placement.next(); match !== null; match = core.placement.next()) {
    const { task, option } = match;
    const { provider } = option;
    const attempt = new AttemptRecord(task, provider, task.lastAttempt + 1, provider.cost, core.nowMs);
    // Whole milliseconds, so that what is reckoned from them falls on the clock's own ticks.
    attempt.expectedMs = Math.ceil(option.loadMs + option.runMs);
    attempt.spreadMs = Math.ceil(core.placement.spreadMs(task, provider));
    attempt.cold = option.loadMs > 0;
    if (task.profile.model !== "") provider.warmModel = task.profile.model;
    changeTaskState(core, task, "running");
    enterAttempt(core, attempt, task.limitMs);
    const { cost } = provider;
    core.effects.push({
      type: "send",
      taskId: task.taskId,
      attempt: attempt.attempt,
      providerId: provider.providerId,
      cost,
      limitMs: task.limitMs,
      expectedMs: attempt.expectedMs,
    });
  }
}

function notATime(nowMs: number): Refusal {
  return { code: "invalid", field: "nowMs", message: `nowMs is ${nowMs}; it must be a finite number.` };
}
