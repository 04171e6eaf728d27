import type { DispatcherInput, Provider, Task } from "@genai/dispatcher";
import type { Random } from "./random.ts";

/** An input that must be refused. */
export function drawHostileInput(random: Random, task: Task, provider: Provider): DispatcherInput {
  // What an earlier process accepted is taken as it is, so it has to be new.
  const { history: _, ...fresh } = task;
  const submit = (changes: Partial<Task>): DispatcherInput => ({
    type: "submit",
    task: { ...fresh, taskId: `${task.taskId}-hostile`, ...changes },
  });
  const join = (changes: Partial<Provider>): DispatcherInput => ({
    type: "providerJoined",
    provider: { ...provider, ...changes },
    held: [],
  });
  const unknown = { taskId: "nobody's", attempt: random.integer(0, 3), providerId: provider.providerId };
  return random.pick<() => DispatcherInput>([
    () => submit({ maxCost: -1 }),
    () => submit({ maxCost: Number.NaN }),
    () => submit({ timeToMoneyRatio: Number.POSITIVE_INFINITY }),
    () => submit({ priority: 11 }),
    () => submit({ expiresInMs: -1 }),
    () => submit({ work: { signature: "standard", units: 0 } }),
    () => submit({ userId: "u".repeat(2_000) }),
    () => submit({ maxAttempts: 0.5 }),
    () => ({ type: "submit", task }),
    () => join({ cost: -1 }),
    () => join({ cost: Number.NaN }),
    () => join({ slots: 0 }),
    () => join({ models: ["m".repeat(2_000)] }),
    () => ({ type: "cancel", taskId: "nobody's" }),
    () => ({ type: "completed", ...unknown, gpuMs: -1, warmModel: null }),
    () => ({ type: "completed", ...unknown, gpuMs: null, warmModel: null }),
    () => ({ type: "progressed", ...unknown, value: 2 }),
    () => ({ type: "accepted", ...unknown }),
    () => ({ type: "drain", providerId: "nobody" }),
    () => ({ type: "amnesty", forMs: -1 }),
  ])();
}
