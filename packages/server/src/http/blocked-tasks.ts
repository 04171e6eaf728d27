import type { ReasonCode } from "@genai/dispatcher";
import { requirementClassKey } from "@genai/dispatcher";
import type { BlockingReasons, TaskStanding, TaskTerms } from "./fleet-readings.ts";

/** How long a verdict is valid, in milliseconds: clients poll in tight loops, and each verdict costs time proportional to the number of nodes. */
const FRESH_MS = 1_000;
/** Verdicts remembered. */
const VERDICTS_MAX = 1_000;

interface Verdict {
  readonly untilMs: number;
  readonly reasons: BlockingReasons | null;
}

/** Caches for a moment which tasks nothing in the fleet can run. The verdict depends only on a task's requirements and its maximum cost. */
export class BlockedTasks {
  readonly #explain: (task: TaskTerms) => TaskStanding | null;
  readonly #nowMs: () => number;
  readonly #verdicts = new Map<string, Verdict>();

  constructor(explain: (task: TaskTerms) => TaskStanding | null, nowMs: () => number) {
    this.#explain = explain;
    this.#nowMs = nowMs;
  }

  reasonsOf(task: TaskTerms): BlockingReasons | null {
    const key = `${task.maxCost} ${requirementClassKey(task.requirements)}`;
    const nowMs = this.#nowMs();
    const known = this.#verdicts.get(key);
    if (known !== undefined && known.untilMs > nowMs) return known.reasons;
    const standing = this.#explain(task);
    const reasons = standing?.impossible === true ? blockingReasons(standing) : null;
    this.#verdicts.delete(key);
    this.#verdicts.set(key, { untilMs: nowMs + FRESH_MS, reasons });
    if (this.#verdicts.size > VERDICTS_MAX) {
      const oldest = this.#verdicts.keys().next();
      if (!oldest.done) this.#verdicts.delete(oldest.value);
    }
    return reasons;
  }
}

/** How many nodes have each reason, counting the first of each node, which is a permanent one. */
export function blockingReasons({ providers }: Pick<TaskStanding, "providers">): BlockingReasons {
  const counts = new Map<ReasonCode, number>();
  for (const { reasons } of providers) {
    const [first] = reasons;
    if (first !== undefined) counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  return counts;
}
