import { z } from "zod";
import { TaskId } from "../ids.ts";
import { Instant, V2TaskState } from "./task-state.ts";

/** `event: state`. Stored and numbered: its SSE id is what `Last-Event-ID` resumes after. */
export const StateEvent = z
  .object({
    taskId: TaskId,
    number: z.int().min(1).meta({ description: "1, 2, 3 … within the task, without a gap." }),
    at: Instant,
    state: V2TaskState,
    attempt: z.int().optional(),
    nodeId: z.string().optional(),
    reason: z.string().optional(),
    error: z.object({ code: z.string(), message: z.string() }).optional(),
    artifacts: z.int().optional().meta({ description: "How many pictures the result has." }),
  })
  .meta({ id: "StateEvent", description: "Data of an SSE event `state`." });
export type StateEvent = z.infer<typeof StateEvent>;

/** `event: progress`. Live only, without an id; a slow reader gets the latest. */
export const ProgressEvent = z
  .object({ taskId: TaskId, attempt: z.int().min(1), value: z.number().min(0).max(1), stage: z.string() })
  .meta({ id: "ProgressEvent", description: "Data of an SSE event `progress`." });
export type ProgressEvent = z.infer<typeof ProgressEvent>;

/** `event: preview`. Live only, without an id; a slow reader gets the latest. */
export const PreviewEvent = z
  .object({ taskId: TaskId, attempt: z.int().min(1), mime: z.string(), base64: z.string() })
  .meta({ id: "PreviewEvent", description: "Data of an SSE event `preview`." });
export type PreviewEvent = z.infer<typeof PreviewEvent>;
