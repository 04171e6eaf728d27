import type { Core } from "../core.ts";
import { choosingFor, optionOf } from "../placement/choose.ts";
import type { Mismatch } from "../placement/mismatch.ts";
import { mismatchOf } from "../placement/mismatch.ts";
import { letsFailedIn } from "../placement/permission.ts";
import type { ProviderRecord } from "../state/provider-record.ts";
import type { TaskRecord } from "../state/task-record.ts";

/** Why a provider does not take a task now, in stable words. `busy` alone means: it would, once a slot is free. */
export type ReasonCode =
  | Mismatch
  | "offline"
  | "not_ready"
  | "draining"
  | "resting"
  | "silent"
  | "too_expensive"
  | "failed_this_task"
  | "rejected_this_task"
  | "busy";

/** Reasons that do not pass by themselves: with one of them at every provider nobody here could ever take the task. */
const LASTING: ReadonlySet<ReasonCode> = new Set([
  "pipeline",
  "engine",
  "model_missing",
  "gpu_type",
  "memory",
  "image_input",
  "too_expensive",
]);

/** How one provider stands to a task. */
export interface ProviderExplanation {
  readonly providerId: string;
  /** It may have the task, now or as soon as a slot is free. */
  readonly eligible: boolean;
  readonly reasons: readonly ReasonCode[];
  /** What it would cost and take there; null where it is not eligible. Score = cost + ratio × seconds. */
  readonly parts: {
    readonly cost: number;
    readonly aheadSeconds: number;
    readonly loadSeconds: number;
    readonly runSeconds: number;
    readonly seconds: number;
    readonly score: number;
  } | null;
}

/** Why a task is where it is. */
export interface Explanation {
  readonly taskId: string;
  readonly state: TaskRecord["state"];
  /** No provider that is known here could ever take it: what it asks for is not on offer, or costs more than it pays. */
  readonly impossible: boolean;
  /** Its user may have no more running at once. */
  readonly userAtCap: boolean;
  /** Time until its backoff ends; null while it has none. */
  readonly retryInMs: number | null;
  /** It waits for a busy provider although another is free, because it expects to be better served there. */
  readonly hold: {
    readonly providerId: string;
    readonly over: string | null;
    /** For how long it has been held in all, and until when it is looked at again at the latest, in milliseconds; null for a task at
     *  ratio 0, which is held with its class, without an end. */
    readonly heldMs: number | null;
    readonly forMsMost: number | null;
  } | null;
  /** Best score first, then those that are not eligible. */
  readonly providers: readonly ProviderExplanation[];
}

export function explainTask(core: Core, task: TaskRecord): Explanation {
  const providers = explainProviders(core, task);
  const { taskId, state, hold, trouble } = task;
  return {
    taskId,
    state,
    impossible: isImpossible(providers),
    userAtCap: state === "waiting" && task.user.capped,
    retryInMs: state === "backingOff" ? Math.max(0, (trouble?.readyAtMs ?? 0) - core.nowMs) : null,
    hold:
      hold === null
        ? frugalHold(core, task, providers)
        : {
            providerId: hold.provider.providerId,
            over: hold.over.providerId,
            heldMs: task.heldMs + core.nowMs - hold.sinceMs,
            forMsMost: Math.max(0, hold.untilMs - core.nowMs),
          },
    providers,
  };
}

/** A task at ratio 0 waits for the least price as long as it takes, without a hold of its own: its whole class does. */
export function frugalHold(
  core: Core,
  task: TaskRecord,
  providers: readonly ProviderExplanation[],
): Explanation["hold"] {
  if (!task.class.frugal || task.state !== "waiting" || task.user.capped) return null;
  const [best] = providers;
  const provider = best?.eligible ? core.providers.get(best.providerId) : undefined;
  const declined = providers.find((other) => other.eligible && !other.reasons.includes("busy"));
  if (provider === undefined || provider.standing === "free" || declined === undefined) return null;
  return { providerId: provider.providerId, over: declined.providerId, heldMs: null, forMsMost: null };
}

export function isImpossible(providers: readonly ProviderExplanation[]): boolean {
  return providers.every(({ reasons }) => reasons.some((reason) => LASTING.has(reason)));
}

/** How every known provider stands to a task, best score first. */
export function explainProviders(core: Core, task: TaskRecord): ProviderExplanation[] {
  const by = choosingFor(task, core);
  const failedToo = letsFailedIn(task.class, core.planted);
  const explained = [...core.providers.values()].map((provider) => {
    const reasons = reasonsOf(core, task, provider, failedToo);
    const { kind } = provider;
    const eligible = reasons.every((reason) => reason === "busy");
    if (!eligible || kind === null) return { providerId: provider.providerId, eligible: false, reasons, parts: null };
    const place = provider.holders.indexOf(task);
    const option = optionOf(task, provider, kind, by, place >= 0 ? place : provider.holders.length);
    const { cost, aheadMs, loadMs, runMs, seconds, score } = option;
    const parts = {
      cost,
      aheadSeconds: aheadMs / 1_000,
      loadSeconds: loadMs / 1_000,
      runSeconds: runMs / 1_000,
      seconds,
      score,
    };
    return { providerId: provider.providerId, eligible: true, reasons, parts };
  });
  return explained.sort(
    (a, b) =>
      (a.parts?.score ?? Infinity) - (b.parts?.score ?? Infinity) ||
      (a.parts?.seconds ?? 0) - (b.parts?.seconds ?? 0) ||
      (a.parts?.cost ?? 0) - (b.parts?.cost ?? 0) ||
      0,
  );
}

function reasonsOf(core: Core, task: TaskRecord, provider: ProviderRecord, failedToo: boolean): ReasonCode[] {
  const reasons: ReasonCode[] = [];
  const { kind, offer, breaker } = provider;
  if (kind === null || offer === null) return ["offline"];
  const mismatch = mismatchOf(task.class.requirements, kind);
  if (mismatch !== null) reasons.push(mismatch);
  if (provider.cost > task.maxCost) reasons.push("too_expensive");
  if (!offer.ready) reasons.push("not_ready");
  if (provider.draining) reasons.push("draining");
  if (provider.silent) reasons.push("silent");
  if (breaker === "resting") reasons.push("resting");
  if (task.trouble?.failed.has(provider.providerId) && !failedToo) reasons.push("failed_this_task");
  if (task.trouble?.skipped.has(provider.providerId)) reasons.push("rejected_this_task");
  if (core.placement.fleet.freeSlotsOf(provider) === 0 && reasons.length === 0) reasons.push("busy");
  return reasons;
}
