import type { Provider, Requirements, Task, TaskHistory } from "@genai/dispatcher";

const REQUIREMENTS: Requirements = {
  pipeline: "standard",
  engine: null,
  models: ["sdxl"],
  gpuType: null,
  vramBytesMin: null,
  imageInput: "none",
  modelIsWishOnLegacy: false,
};

/** A task of user `ann` that takes about ten seconds and may go anywhere. */
export function aTask(
  taskId: string,
  changes: Partial<Omit<Task, "requirements">> & { requirements?: Partial<Requirements> } = {},
): Task {
  const { requirements, ...others } = changes;
  return {
    taskId,
    userId: "ann",
    priority: 0,
    maxCost: 15,
    timeToMoneyRatio: 1,
    work: { signature: "standard", units: 10_000_000 },
    limitMs: 150_000,
    ageMs: 0,
    expiresInMs: null,
    maxAttempts: 5,
    ...others,
    requirements: { ...REQUIREMENTS, ...requirements },
  };
}

/** What happened to a task that nothing happened to. */
export function aHistory(changes: Partial<TaskHistory>): TaskHistory {
  return {
    lastAttempt: 0,
    faults: 0,
    losses: 0,
    failedProviderIds: [],
    open: [],
    handedBack: false,
    retryInMs: 0,
    ...changes,
  };
}

/** A free protocol-2 provider with one slot that serves everything. */
export function aProvider(providerId: string, changes: Partial<Provider> = {}): Provider {
  return {
    providerId,
    legacy: false,
    engine: "comfyUI",
    pipelines: ["standard", "comfy"],
    models: ["sdxl", "flux"],
    warmModel: "sdxl",
    gpuType: "RTX 4090",
    vramBytes: 24e9,
    imageInput: false,
    slots: 1,
    prefetch: 0,
    cost: 1,
    ready: true,
    ...changes,
  };
}
