import { randomUUID } from "node:crypto";
import type { NewTask, StoreChange, TaskArtifact } from "../../../src/storage/index.ts";

let minted = 0;

/** Ids in the order of their minting, as UUIDv7s are. */
export function taskIdOf(number: number = ++minted): string {
  const hex = number.toString(16).padStart(12, "0");
  return `019aaaaa-${hex.slice(0, 4)}-7000-8000-${hex.slice(0, 12)}`;
}

export function newTask(over: Partial<NewTask> = {}): NewTask {
  return {
    taskId: taskIdOf(),
    userId: "alice",
    api: "v2",
    createdAtMs: Date.now(),
    pipeline: { type: "standard", prompt: "a lighthouse", model: "sdxl" },
    priority: 0,
    maxCost: 15,
    timeToMoneyRatio: 1,
    requirements: {
      pipeline: "standard",
      engine: null,
      models: ["sdxl"],
      gpuType: null,
      vramBytesMin: null,
      imageInput: "none",
      modelIsWishOnLegacy: false,
    },
    work: { signature: "standard", units: 1024 * 1024 * 20 },
    limitMs: 150_000,
    deadlineAtMs: null,
    maxAttempts: 5,
    metadata: null,
    webhook: null,
    ...over,
  };
}

type Change<Type extends StoreChange["type"]> = Extract<StoreChange, { readonly type: Type }>;

export function inserted(
  task: NewTask,
  over: Partial<Omit<Change<"taskInserted">, "type" | "task">> = {},
): Change<"taskInserted"> {
  return { type: "taskInserted", task, classKey: "sdxl", claimed: false, idempotency: null, ...over };
}

export function opened(taskId: string, over: Partial<Change<"attemptOpened">> = {}): Change<"attemptOpened"> {
  return {
    type: "attemptOpened",
    attemptId: randomUUID(),
    taskId,
    attempt: 1,
    nodeId: "node-1",
    legacy: false,
    cost: 2,
    limitMs: 150_000,
    atMs: 1_000,
    ...over,
  };
}

export function changed(attemptId: string, over: Partial<Change<"attemptChanged">> = {}): Change<"attemptChanged"> {
  return {
    type: "attemptChanged",
    attemptId,
    state: "succeeded",
    open: false,
    atMs: 2_000,
    gpuMs: 700,
    abortReason: null,
    error: null,
    ...over,
  };
}

export function requeued(taskId: string, over: Partial<Change<"taskRequeued">> = {}): Change<"taskRequeued"> {
  return {
    type: "taskRequeued",
    taskId,
    reason: "lost",
    attempt: 1,
    faults: 0,
    losses: 1,
    failedNodeIds: [],
    notBeforeMs: 0,
    atMs: 1_500,
    ...over,
  };
}

export function settled(taskId: string, over: Partial<Change<"taskSettled">> = {}): Change<"taskSettled"> {
  return {
    type: "taskSettled",
    taskId,
    state: "succeeded",
    attempt: 1,
    artifacts: [],
    error: null,
    atMs: 2_000,
    ...over,
  };
}

export function artifact(key: string | null, index = 0): TaskArtifact {
  return {
    index,
    key,
    url: null,
    sha256: "ab".repeat(32),
    bytes: 300,
    mime: "image/png",
    width: 512,
    height: 512,
    seed: 7,
  };
}
