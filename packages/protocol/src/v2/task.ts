import { z } from "zod";
import { TaskId } from "../ids.ts";
import { V2Blocked } from "./explain.ts";
import { Instant, V2TaskState } from "./task-state.ts";

export const V2TaskError = z
  .object({
    code: z.string().meta({
      description: "`task_failed`, `attempts_exhausted`, `nodes_lost`, `deadline_exceeded`.",
      example: "task_failed",
    }),
    message: z.string(),
  })
  .meta({ id: "TaskError", description: "Why a task or an attempt failed." });

export const V2Artifact = z
  .object({
    index: z.int().min(0),
    url: z.string().meta({ description: "Signed where it is ours; each GET of the task gives a fresh one." }),
    sha256: z.string().nullable(),
    bytes: z.int().nullable(),
    mime: z.string().nullable(),
    width: z.int().nullable(),
    height: z.int().nullable(),
    seed: z.int().nullable(),
  })
  .meta({ id: "Artifact", description: "A picture that a task produced." });

export const V2Attempt = z
  .object({
    attempt: z.int().min(1),
    nodeId: z.string(),
    state: z.enum([
      "assigned",
      "sent",
      "accepted",
      "running",
      "lost",
      "succeeded",
      "failed",
      "rejected",
      "aborted",
      "expired",
    ]),
    cost: z.number().meta({ description: "Credits, as they were when it was sent." }),
    openedAt: Instant,
    closedAt: Instant.nullable(),
    gpuMs: z.number().meta({ description: "GPU time charged, once it is closed." }),
    error: V2TaskError.nullable(),
  })
  .meta({ id: "Attempt", description: "One lease of a task by a node." });

/** A task in a list. */
export const V2TaskSummary = z
  .object({
    id: TaskId.meta({ description: "A UUIDv7." }),
    state: V2TaskState,
    api: z.enum(["v1", "v2"]).meta({ description: "The surface that it came by." }),
    pipelineType: z.enum(["standard", "comfy"]),
    priority: z.int(),
    maxCost: z.number(),
    timeToMoneyRatio: z.number(),
    createdAt: Instant,
    startedAt: Instant.nullable(),
    settledAt: Instant.nullable(),
    deadlineAt: Instant.nullable(),
    maxAttempts: z.int(),
    models: z.array(z.string()).meta({ description: "Models that a node must offer." }),
    metadata: z.record(z.string(), z.unknown()).nullable(),
    eventNumber: z.int().min(1).meta({ description: "Number of its newest event." }),
    result: z.object({ artifacts: z.array(V2Artifact) }).nullable(),
    error: V2TaskError.nullable(),
  })
  .meta({ id: "TaskSummary" });
export type V2TaskSummary = z.infer<typeof V2TaskSummary>;

/** A task with everything that is known of it. */
export const V2Task = V2TaskSummary.extend({
  position: z
    .int()
    .min(0)
    .nullable()
    .meta({ description: "How many of the caller's waiting tasks stand before it; null where it does not wait here." }),
  expectedMs: z
    .int()
    .min(0)
    .nullable()
    .meta({ description: "What one attempt is expected to take; null where nobody here could run it." }),
  progress: z.number().min(0).max(1).meta({ description: "Of its running attempt; never falls inside an attempt." }),
  blocked: V2Blocked.nullable().meta({
    description:
      "Why nothing in the fleet can run it, at most a second old; null where something can, or it does not wait.",
  }),
  attempts: z.array(V2Attempt),
}).meta({ id: "Task" });
export type V2Task = z.infer<typeof V2Task>;
