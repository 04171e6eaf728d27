import { z } from "zod";
import { V2TaskSummary } from "./task.ts";
import { V2TaskState } from "./task-state.ts";

export const LIST_LIMIT_DEFAULT = 50;
export const LIST_LIMIT_MAX = 200;

/** Several values, separated by commas or as several parameters. */
const States = z
  .union([z.string().transform((text) => text.split(",")), z.array(z.string())])
  .pipe(z.array(V2TaskState).min(1).max(5));

/** Filters and the place in the list of `GET /v2/tasks`. */
export const TaskListQuery = z.strictObject({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(LIST_LIMIT_MAX)
    .default(LIST_LIMIT_DEFAULT)
    .meta({ override: { type: "integer" } }),
  cursor: z.string().max(1_000).optional().meta({ description: "`next` of the page before, with the same filters." }),
  state: States.optional().meta({
    description: "One or several states, separated by commas.",
    override: { type: "string", example: "queued,running" },
  }),
  model: z.string().max(512).optional().meta({ description: "Compared without folder, extension and case." }),
  metadata: z
    .string()
    .max(1_000)
    .regex(/^[^:]+:/, "must be `key:value`")
    .optional()
    .meta({ description: "`key:value` of a task's metadata.", example: "order:4711" }),
  createdAfter: z.iso.datetime({ offset: true }).optional(),
  createdBefore: z.iso.datetime({ offset: true }).optional(),
});
export type TaskListQuery = z.infer<typeof TaskListQuery>;

/** A page of tasks, newest first. */
export const V2TaskPage = z
  .object({
    tasks: z.array(V2TaskSummary),
    next: z.string().nullable().meta({
      description: "The next page's `cursor`; null at the end. A page may be short, or empty, before the end.",
    }),
  })
  .meta({ id: "TaskPage" });
export type V2TaskPage = z.infer<typeof V2TaskPage>;
