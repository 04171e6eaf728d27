import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Provider, UserLimits } from "@genai/dispatcher";
import { pino } from "pino";
import { type Clock, systemClock } from "../../src/clock.ts";
import { Coordinator } from "../../src/coordinator/coordinator.ts";
import type { Delivery, NodeSessions } from "../../src/coordinator/node-sessions.ts";
import { openTaskStore } from "../../src/storage/index.ts";
import { newTaskId } from "../../src/tasks/new-task-id.ts";
import type { NewTask } from "../../src/tasks/stored-task.ts";
import type { TaskStore } from "../../src/tasks/task-store.ts";

/** What the coordinator said to nodes, and a way to wait for it. */
class RecordedSessions implements NodeSessions {
  readonly said: (
    | { readonly type: "deliver"; readonly nodeId: string; readonly delivery: Delivery }
    | {
        readonly type: "abort" | "acknowledge";
        readonly nodeId: string;
        readonly attemptId: string;
        readonly why: string;
      }
    | { readonly type: "disconnect"; readonly nodeId: string; readonly why: string }
  )[] = [];
  #wake: (() => void)[] = [];

  deliver(nodeId: string, delivery: Delivery): void {
    this.#say({ type: "deliver", nodeId, delivery });
  }

  abort(nodeId: string, attemptId: string, why: string): void {
    this.#say({ type: "abort", nodeId, attemptId, why });
  }

  acknowledge(nodeId: string, attemptId: string, why: string): void {
    this.#say({ type: "acknowledge", nodeId, attemptId, why });
  }

  disconnect(nodeId: string, why: string): void {
    this.#say({ type: "disconnect", nodeId, why });
  }

  deliveries(nodeId?: string): readonly Delivery[] {
    return this.said.flatMap((each) =>
      each.type === "deliver" && (nodeId === undefined || each.nodeId === nodeId) ? [each.delivery] : [],
    );
  }

  /** Resolves once `found` gives something. The test's own limit ends a wait in vain. */
  async until<Found>(found: () => Found | undefined | false): Promise<Found> {
    for (;;) {
      const value = found();
      if (value !== undefined && value !== false) return value;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  #say(what: RecordedSessions["said"][number]): void {
    this.said.push(what);
    for (const wake of this.#wake.splice(0)) wake();
  }
}

export const legacyNode = (providerId: string, more: Partial<Provider> = {}): Provider => ({
  providerId,
  legacy: true,
  engine: null,
  pipelines: ["standard", "comfy"],
  models: [],
  warmModel: null,
  gpuType: null,
  vramBytes: null,
  imageInput: false,
  slots: 1,
  prefetch: 0,
  cost: 0,
  ready: true,
  ...more,
});

export const modernNode = (providerId: string, more: Partial<Provider> = {}): Provider => ({
  ...legacyNode(providerId),
  legacy: false,
  engine: "test",
  ...more,
});

export const newTask = (more: Partial<NewTask> = {}): NewTask => ({
  taskId: newTaskId(Date.now()),
  userId: "alice",
  api: "v2",
  createdAtMs: Date.now(),
  pipeline: { type: "standard", prompt: "a fox", model: "" },
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
  ...more,
});

/** A coordinator over a real store in a folder of its own. */
export async function setup(
  options: {
    readonly store?: (real: TaskStore) => TaskStore;
    readonly queuedMax?: number;
    readonly inputBytesMax?: number;
    /** What each user may do, in place of `queuedMax`. */
    readonly userLimits?: () => UserLimits;
    /** PostgreSQL; else SQLite. */
    readonly databaseUrl?: string;
    readonly clock?: Clock;
  } = {},
) {
  const home = mkdtempSync(join(tmpdir(), "genai-coordinator-"));
  const sessions = new RecordedSessions();
  const discarded: string[] = [];
  const start = async () => {
    const store = await openTaskStore({ databaseUrl: options.databaseUrl ?? null, home });
    const coordinator = new Coordinator({
      store: options.store?.(store) ?? store,
      sessions,
      clock: options.clock ?? systemClock,
      logger: pino({ level: "silent" }),
      leaseMs: 30_000,
      taskTtlMs: 30 * 86_400_000,
      inputBytesMax: options.inputBytesMax ?? null,
      uploadLimits: { graphPicturesMax: 256, bytesMax: 2 ** 30 },
      discard: (keys) => discarded.push(...keys),
      userLimits:
        options.userLimits ??
        (() => ({ weight: 1, userClass: 0, queuedMax: options.queuedMax ?? 10_000, runningMax: null })),
    });
    await coordinator.start();
    return { store, coordinator };
  };
  const first = await start();
  const bundle = {
    ...first,
    sessions,
    /** Keys of pictures that nobody needs. */
    discarded,
    newId: randomUUID,
    /** Ends the process in effect, without a word to anybody, and starts the next on the same folder. */
    async restart() {
      await bundle.coordinator.close();
      await bundle.store.close();
      Object.assign(bundle, await start());
    },
    async [Symbol.asyncDispose]() {
      await bundle.coordinator.close();
      await bundle.store.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
  return bundle;
}

/** A result of one picture by URL. */
export const picture = (url = "https://example.com/fox.png") => ({
  index: 0,
  key: null,
  url,
  sha256: null,
  bytes: null,
  mime: null,
  width: null,
  height: null,
  seed: null,
});
