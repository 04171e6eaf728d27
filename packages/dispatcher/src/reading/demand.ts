import type { Core } from "../core.ts";
import type { ClassCount } from "../placement/demand-counter.ts";
import { compareLanes, type Lane } from "../state/task-class.ts";
import type { Requirements } from "../task.ts";

/** What waits, by requirement class, and what there is to serve it: what an autoscaler reads. */
export interface Demand {
  readonly classes: readonly {
    readonly classKey: string;
    readonly requirements: Requirements;
    readonly waiting: number;
    /** GPU seconds that the waiting tasks will take, by the estimates of the moment at which each began to wait. */
    readonly gpuSeconds: number;
    /** The same by what they pay at most, lowest first. */
    readonly byMaxCost: readonly { readonly maxCost: number; readonly waiting: number; readonly gpuSeconds: number }[];
    /** Age of the task that is next in the order, in seconds since it was submitted. */
    readonly headAgeSeconds: number;
    readonly fittingSlots: number;
    readonly idleSlots: number;
  }[];
  /** Over all connected providers. */
  readonly slots: number;
  readonly idleSlots: number;
}

/** Reads the counters; costs as much as there are classes and kinds, however many tasks wait. */
export function readDemand(core: Core): Demand {
  let slots = 0;
  let idleSlots = 0;
  for (const kind of core.placement.fleet.kinds()) {
    slots += kind.slots;
    idleSlots += kind.freeSlots;
  }
  const classes = [...core.placement.backlog.demand.byRequirement].map(([classKey, count]) =>
    readClass(core, classKey, count),
  );
  return { classes, slots, idleSlots };
}

function readClass(core: Core, classKey: string, count: ClassCount): Demand["classes"][number] {
  const taskClasses = [...count.classes.keys()];
  const [any] = taskClasses;
  const kinds = any?.kinds ?? [];
  let head: Lane | undefined;
  for (const { order, lanes } of taskClasses) {
    // Where every user is at its cap nobody stands in the order; any lane will do.
    const lane = order.first() ?? lanes.values().next().value;
    if (lane !== undefined && (head === undefined || compareLanes(lane, head) < 0)) head = lane;
  }
  const headTask = head?.tasks.first();
  return {
    classKey,
    requirements: (any as NonNullable<typeof any>).requirements,
    waiting: count.tasks,
    gpuSeconds: count.gpuMs / 1_000,
    byMaxCost: [...count.byCeiling]
      .map(([maxCost, { tasks, gpuMs }]) => ({ maxCost, waiting: tasks, gpuSeconds: gpuMs / 1_000 }))
      .sort((a, b) => a.maxCost - b.maxCost),
    headAgeSeconds: headTask === undefined ? 0 : (core.nowMs - headTask.submittedAtMs) / 1_000,
    fittingSlots: kinds.reduce((sum, kind) => sum + kind.slots, 0),
    idleSlots: kinds.reduce((sum, kind) => sum + kind.freeSlots, 0),
  };
}
