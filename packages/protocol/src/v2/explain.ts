import { z } from "zod";
import { TaskId } from "../ids.ts";
import { Instant, V2TaskState } from "./task-state.ts";

/** Why a node does not take a task now: stable code → what is said of the node. */
export const NODE_REASONS = {
  pipeline: "does not run this pipeline",
  engine: "runs another engine",
  model_missing: "does not offer the model",
  gpu_type: "has another GPU type",
  memory: "has too little GPU memory, or does not say how much",
  image_input: "takes no input image",
  too_expensive: "costs more than the task pays",
  offline: "is not connected",
  not_ready: "has an engine that is not up",
  draining: "is draining",
  resting: "rests after faults in a row",
  silent: "has not been heard of for a while",
  failed_this_task: "failed this task before",
  rejected_this_task: "turned this task away a moment ago",
  busy: "is busy; it would take the task once a slot is free",
} as const;

export const NodeReason = z
  .enum(Object.keys(NODE_REASONS) as [keyof typeof NODE_REASONS, ...(keyof typeof NODE_REASONS)[]])
  .meta({ id: "NodeReason", description: "Why a node does not take a task now." });
export type NodeReason = z.infer<typeof NodeReason>;

const ReasonCount = z.object({
  code: NodeReason,
  message: z.string(),
  nodes: z.int().min(1).meta({ description: "How many nodes it holds of." }),
});

/** Why no node that is known could ever run a task. It waits all the same, for one that can. */
export const V2Blocked = z
  .object({
    message: z.string().meta({ example: "Nobody can run it as things are: each of 2 nodes does not offer the model." }),
    reasons: z.array(ReasonCount).meta({ description: "Empty where no node is connected at all." }),
  })
  .meta({ id: "Blocked", description: "Nothing in the fleet can run the task as things are." });
export type V2Blocked = z.infer<typeof V2Blocked>;

/** Where a task stands: stable code → what it means. */
export const EXPLANATIONS = {
  ended: "The task has ended.",
  running: "A node works on it.",
  no_nodes: "No node is connected.",
  blocked: "No node that is connected could ever run it.",
  user_at_cap: "As many of its user's tasks run as may run at once.",
  backing_off: "It waits a while after a failed attempt.",
  adrift: "Its node is silent; another may have it shortly.",
  held: "It waits for a busy node, although another is free, because it expects to be better served there.",
  nodes_unavailable: "Nodes that could run it are away, drain, rest or are not ready.",
  queued: "Every node that could run it is busy.",
  next: "A node that could run it has a free slot.",
} as const;

export const ExplanationCode = z
  .enum(Object.keys(EXPLANATIONS) as [keyof typeof EXPLANATIONS, ...(keyof typeof EXPLANATIONS)[]])
  .meta({ id: "ExplanationCode" });
export type ExplanationCode = z.infer<typeof ExplanationCode>;

const NodeScore = z
  .object({
    cost: z.number().meta({ description: "Credits." }),
    aheadMs: z.number().meta({ description: "Until a slot is free for it." }),
    loadMs: z.number().meta({ description: "Loading the model." }),
    runMs: z.number().meta({ description: "The work itself." }),
    score: z.number().meta({ description: "cost + timeToMoneyRatio × seconds; the least wins." }),
  })
  .meta({ id: "NodeScore" });

export const V2Explanation = z
  .object({
    taskId: TaskId.nullable().meta({ description: "Null for a task that was only asked about." }),
    state: V2TaskState.nullable(),
    code: ExplanationCode,
    message: z.string().meta({ description: "The same in a sentence, with names and numbers." }),
    blocked: V2Blocked.nullable(),
    position: z.int().min(0).nullable().meta({ description: "How many of its user's waiting tasks stand before it." }),
    expectedMs: z.int().min(0).nullable().meta({ description: "What one attempt is expected to take." }),
    retryAt: Instant.nullable().meta({ description: "The end of its pause after a failed attempt." }),
    hold: z
      .object({
        nodeId: z.string().meta({ description: "The busy node that it waits for." }),
        over: z.string().nullable().meta({ description: "A free one that it declined." }),
        forMsMost: z.number().nullable(),
      })
      .nullable(),
    nodes: z
      .array(
        z.object({
          nodeId: z.string(),
          eligible: z.boolean().meta({ description: "It may have the task, now or once a slot is free." }),
          reasons: z.array(z.object({ code: NodeReason, message: z.string() })),
          score: NodeScore.nullable().meta({ description: "Null where it is not eligible." }),
        }),
      )
      .meta({ description: "Best score first, then those that are not eligible. At most 100." }),
    nodesLeftOut: z.int().min(0).meta({ description: "Nodes beyond the first 100." }),
  })
  .meta({ id: "Explanation", description: "Why a task is where it is." });
export type V2Explanation = z.infer<typeof V2Explanation>;
