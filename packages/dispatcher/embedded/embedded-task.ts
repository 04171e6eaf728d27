import { attemptLimitMs, type Provider, type Requirements, type Task } from "@genai/dispatcher";

/** A task of an embedder: what is not said takes its default. */
export interface EmbeddedTask<Payload>
  extends Partial<Omit<Task, "taskId" | "requirements" | "ageMs" | "history" | "expiresInMs">> {
  readonly taskId: string;
  /** What the transport carries. */
  readonly payload: Payload;
  /** Default: a standard task that any provider may take. */
  readonly requirements?: Partial<Requirements>;
  /** Time until it is given up, in milliseconds; default null, for never. */
  readonly expiresInMs?: number | null;
}

/** A provider of an embedder: what is not said takes its default, which is one slot, free of charge, that serves everything. */
export type EmbeddedProvider = { readonly providerId: string } & Partial<
  Omit<Provider, "providerId" | "legacy" | "prefetch" | "ready">
>;

/** The task with its defaults: user `anonymous`, priority 0, any price, a second is worth a hundredth of a credit, five attempts. */
export function completeTask<Payload>(task: EmbeddedTask<Payload>): Task {
  const { payload: _, requirements, ...given } = task;
  return {
    userId: "anonymous",
    priority: 0,
    maxCost: Number.MAX_VALUE,
    timeToMoneyRatio: 0.01,
    work: { signature: "task", units: 1 },
    limitMs: attemptLimitMs({}),
    ageMs: 0,
    expiresInMs: null,
    maxAttempts: 5,
    ...given,
    requirements: {
      pipeline: "standard",
      engine: null,
      models: [],
      gpuType: null,
      vramBytesMin: null,
      imageInput: "none",
      modelIsWishOnLegacy: false,
      ...requirements,
    },
  };
}

export function completeProvider(provider: EmbeddedProvider): Provider {
  return {
    legacy: false,
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
    ...provider,
  };
}
