import type { AttemptRef, Provider } from "@genai/dispatcher";
import type { CheckedDispatcher } from "./checked-dispatcher.ts";

/** Virtual time in which everything must settle once the faults have stopped: all budgets of attempts, each to its limit, and their backoffs. */
const ENDING_MS_MAX = 12 * 3_600_000;
/** Inputs that each unsettled task may need for it, and as many for the fleet. */
const INPUTS_A_TASK = 400;

/** What the providers that are well take for a task. */
const RUN_MS = 1_000;

const HEALTHY: Omit<Provider, "providerId" | "engine"> = {
  legacy: false,
  pipelines: ["standard", "comfy"],
  models: [],
  warmModel: null,
  gpuType: "4090",
  vramBytes: 1e12,
  imageInput: true,
  slots: 8,
  prefetch: 0,
  cost: 0,
  ready: true,
};

/** Stops the faults: providers that are well and capable join, every other one leaves or falls silent for ever. Every task must settle. */
export function endWell(checked: CheckedDispatcher): void {
  checked.endCalm();
  let nowMs = Math.max(0, checked.ledger.nowMs);
  const startMs = nowMs;
  const due: { readonly atMs: number; readonly ref: AttemptRef & { readonly providerId: string } }[] = [];
  const feed = (input: Parameters<CheckedDispatcher["feed"]>[1]) => {
    const result = checked.feed(nowMs, input);
    for (const effect of result?.ok ? result.effects : []) {
      if (effect.type === "send" && effect.providerId.startsWith("well-")) {
        const { taskId, attempt, providerId } = effect;
        due.push({ atMs: nowMs + RUN_MS, ref: { taskId, attempt, providerId } });
      }
    }
    return result?.ok ? result.effects : [];
  };
  const feedWithCuts = (input: Parameters<CheckedDispatcher["feed"]>[1]) => {
    for (const effect of feed(input)) {
      if (effect.type === "disconnect") feed({ type: "providerLost", providerId: effect.providerId, how: "broken" });
    }
  };
  for (const userId of [...checked.ledger.users.keys()]) {
    feedWithCuts({
      type: "userChanged",
      userId,
      limits: { weight: 1, userClass: 0, queuedMax: 1e6, runningMax: null },
    });
  }
  for (const [place, provider] of [...checked.ledger.providers.values()].entries()) {
    if (provider.online && place % 2 === 0) {
      feedWithCuts({ type: "providerLost", providerId: provider.providerId, how: "left" });
    }
  }
  for (const engine of ["comfyUI", "automatic"]) {
    feedWithCuts({ type: "providerJoined", provider: { ...HEALTHY, providerId: `well-${engine}`, engine }, held: [] });
  }
  const inputsMax = checked.steps + INPUTS_A_TASK * (checked.ledger.tasks.size + 10);
  while (checked.violation === null && checked.ledger.tasks.size > 0) {
    const next = due[0];
    const deadlineMs = checked.dispatcher.nextDeadlineMs() ?? Infinity;
    const atMs = Math.min(next?.atMs ?? Infinity, deadlineMs);
    if (atMs - startMs > ENDING_MS_MAX || checked.steps > inputsMax) {
      const [stuck] = checked.ledger.tasks.values();
      const taskId = stuck?.task.taskId ?? "";
      const state = JSON.stringify(checked.dispatcher.explain(taskId));
      checked.violated("liveness", `task ${taskId} never settles: ${state}`);
      return;
    }
    nowMs = Math.max(nowMs, atMs);
    for (const engine of ["comfyUI", "automatic"])
      feedWithCuts({ type: "providerHeard", providerId: `well-${engine}` });
    if (next !== undefined && next.atMs <= nowMs) {
      due.shift();
      feedWithCuts({ type: "completed", ...next.ref, gpuMs: RUN_MS, warmModel: null });
    } else {
      feedWithCuts({ type: "tick" });
    }
  }
}
