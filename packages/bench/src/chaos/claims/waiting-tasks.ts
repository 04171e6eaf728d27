import type { NewTask, StoreChange } from "@genai/server/storage";

/** Tasks that wait in a store, of several users, all of the class `chaos`. */
export function waitingTasks(from: number, count: number, users: number): readonly StoreChange[] {
  return Array.from({ length: count }, (_, index): StoreChange => {
    const number = from + index;
    const task: NewTask = {
      taskId: `01900000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`,
      userId: `user-${number % users}`,
      api: "v2",
      createdAtMs: Date.now(),
      pipeline: { type: "standard", prompt: "one of many", model: "" },
      priority: 0,
      maxCost: 15,
      timeToMoneyRatio: 1,
      requirements: {
        pipeline: "standard",
        engine: null,
        models: [],
        gpuType: null,
        vramBytesMin: null,
        imageInput: "none",
        modelIsWishOnLegacy: false,
      },
      work: { signature: "standard", units: 512 * 512 * 20 },
      limitMs: 150_000,
      deadlineAtMs: null,
      maxAttempts: 5,
      metadata: null,
      webhook: null,
    };
    return { type: "taskInserted", task, classKey: "chaos", claimed: false, idempotency: null };
  });
}
