import { randomUUID } from "node:crypto";
import { requirementClassKey } from "@genai/dispatcher";
import { type NewTask, openTaskStore, type StoreChange } from "@genai/server/storage";

/** Tasks of one transaction. */
const GROUP_TASKS = 1_000;
/** Groups that are on their way at once: the next is made while the writer writes. */
const GROUPS_AT_ONCE = 3;

const REQUIREMENTS = {
  pipeline: "standard",
  engine: null,
  models: [],
  gpuType: null,
  vramBytesMin: null,
  imageInput: "none",
  modelIsWishOnLegacy: true,
} as const;
const CLASS_KEY = requirementClassKey(REQUIREMENTS);

/** What a store is filled with. */
export interface StoreFill {
  readonly tasks: number;
  /** Takes turns over these. */
  readonly userIds: readonly string[];
  /** `queued` tasks wait; `succeeded` ones have an attempt, their events and a picture's URL. */
  readonly state: "queued" | "succeeded";
}

/** Fills the store of a folder through the store's own interface, in groups. No server may run on it. Returns the tasks' ids. */
export async function fillStore(home: string, fill: StoreFill): Promise<readonly string[]> {
  const store = await openTaskStore({ databaseUrl: null, home });
  const taskIds: string[] = [];
  // The newest is a minute old.
  const firstAtMs = Date.now() - 60_000 - fill.tasks;
  try {
    const underWay = new Set<Promise<unknown>>();
    for (let from = 0; from < fill.tasks; from += GROUP_TASKS) {
      const changes: StoreChange[] = [];
      for (let n = from; n < Math.min(from + GROUP_TASKS, fill.tasks); n++) {
        const task = taskOf(n, firstAtMs + n, fill.userIds[n % fill.userIds.length] ?? "");
        taskIds.push(task.taskId);
        changes.push(...(fill.state === "queued" ? [inserted(task, false)] : life(task)));
      }
      const commit = store.commit(changes).finally(() => underWay.delete(commit));
      underWay.add(commit);
      if (underWay.size >= GROUPS_AT_ONCE) await Promise.race(underWay);
    }
    await Promise.all(underWay);
  } finally {
    await store.close();
  }
  return taskIds;
}

function taskOf(n: number, createdAtMs: number, userId: string): NewTask {
  const time = createdAtMs.toString(16).padStart(12, "0");
  return {
    // One a millisecond: the ids stand in the tasks' order.
    taskId: `${time.slice(0, 8)}-${time.slice(8)}-7000-${randomUUID().slice(19)}`,
    userId,
    api: "v1",
    createdAtMs,
    pipeline: {
      type: "standard",
      prompt: `picture ${n} of a lighthouse on a cliff in a storm, oil on canvas`,
      model: "",
      width: 512,
      height: 512,
      steps: 20,
    },
    priority: 0,
    maxCost: 15,
    timeToMoneyRatio: 1,
    requirements: REQUIREMENTS,
    work: { signature: "standard", units: 512 * 512 * 20 },
    limitMs: 150_000,
    deadlineAtMs: null,
    maxAttempts: 5,
    metadata: null,
    webhook: null,
  };
}

function inserted(task: NewTask, claimed: boolean): StoreChange {
  return { type: "taskInserted", task, classKey: CLASS_KEY, claimed, idempotency: null };
}

/** A task from its birth to its end. */
function life(task: NewTask): readonly StoreChange[] {
  const { taskId, createdAtMs } = task;
  const url = `https://pictures.example/${taskId}.png`;
  const nothingKnown = { sha256: null, bytes: null, mime: null, width: null, height: null, seed: null };
  return [
    inserted(task, true),
    {
      type: "attemptOpened",
      attemptId: taskId,
      taskId,
      attempt: 1,
      nodeId: "bench-node",
      legacy: true,
      cost: 1,
      limitMs: task.limitMs,
      atMs: createdAtMs,
    },
    {
      type: "attemptChanged",
      attemptId: taskId,
      state: "succeeded",
      open: false,
      atMs: createdAtMs + 4_000,
      gpuMs: 4_000,
      abortReason: null,
      error: null,
    },
    {
      type: "taskSettled",
      taskId,
      state: "succeeded",
      attempt: 1,
      artifacts: [{ index: 0, key: null, url, ...nothingKnown }],
      error: null,
      atMs: createdAtMs + 4_000,
    },
  ];
}
