/** What a task asks of the provider that runs it. Tasks with equal requirements form one *requirement class*. */
export interface Requirements {
  /** Which kind of work it is; a provider must offer the pipeline. */
  readonly pipeline: "standard" | "comfy";
  /** Engine by name (`comfyUI`, `automatic`, `voltaml`, `test`), or null for any that offers the pipeline. */
  readonly engine: string | null;
  /** Models that must all be offered, as the caller wrote them; compared by {@link normalizeModel}. Empty: any provider fits. */
  readonly models: readonly string[];
  /** GPU type that was asked for, compared without case, or null for any. */
  readonly gpuType: string | null;
  /** Least GPU memory in bytes, or null. A provider of unknown memory is enough only where this is null. */
  readonly vramBytesMin: number | null;
  /** `wish`: providers with image input are taken first where one is free; `required`: no others. */
  readonly imageInput: "none" | "wish" | "required";
  /** v1's model is a wish on legacy providers (which run whatever they have) and a requirement elsewhere. */
  readonly modelIsWishOnLegacy: boolean;
}

/** How much work a task is, for the estimates. */
export interface Work {
  /** What is comparable with each other: for standard tasks `standard`, for graphs the hash of the shape without seeds and texts. */
  readonly signature: string;
  /** Size in the signature's own unit, > 0: standard tasks pixels × steps × pictures, graphs 1. */
  readonly units: number;
}

/** An attempt that was open when the process before this one ended. */
export interface OpenAttempt {
  readonly attempt: number;
  readonly providerId: string;
  readonly state: "assigned" | "sent" | "accepted" | "running" | "lost";
  readonly cost: number;
  /** Time that is left of its limit, in milliseconds, 0 or less when it has passed. */
  readonly limitLeftMs: number;
}

/** What happened to a task before this core heard of it; absent for a new one. */
export interface TaskHistory {
  /** Highest attempt number used so far; the next attempt is one more. */
  readonly lastAttempt: number;
  /** Attempts that ended by a provider's fault; counted against `maxAttempts`. */
  readonly faults: number;
  /** Attempts that were lost with their provider; counted against `lossesMax`. */
  readonly losses: number;
  readonly failedProviderIds: readonly string[];
  /** At most two. */
  readonly open: readonly OpenAttempt[];
  /** It was given out before and came back: it stands at the head of its user's queue. */
  readonly handedBack: boolean;
  /** Not before this many milliseconds from now (backoff after a fault); 0 for at once. */
  readonly retryInMs: number;
}

/** A task as its submitter hands it to the dispatcher. Plain JSON. */
export interface Task {
  readonly taskId: string;
  readonly userId: string;
  /** −10 … 10; orders one user's own tasks and never reaches across users. */
  readonly priority: number;
  /** The most its user pays for it, in credits, ≥ 0. */
  readonly maxCost: number;
  /** What a second of waiting is worth, in credits, ≥ 0; clamped to 1e9. 0: only the price counts. */
  readonly timeToMoneyRatio: number;
  readonly requirements: Requirements;
  readonly work: Work;
  /** The longest that one attempt may take, in milliseconds; a fraction is rounded up. */
  readonly limitMs: number;
  /** How long ago it was submitted, in milliseconds: 0 for a new one. Counts for its place and for ageing. */
  readonly ageMs: number;
  /** Time until it is given up as `deadline_exceeded`, in milliseconds; null for never. */
  readonly expiresInMs: number | null;
  /** How many attempts may end by a provider's fault, 1 to 100. */
  readonly maxAttempts: number;
  readonly history?: TaskHistory;
}
