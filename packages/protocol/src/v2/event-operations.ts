import { z } from "zod";
import type { Operation } from "../openapi/operation.ts";
import { taskParams } from "./operation-parts.ts";

const EVENT_STREAM = "text/event-stream";

/** A stream is text; what its events hold is described beside it. */
const EventStream = z.string().meta({
  override: {
    type: "string",
    contentMediaType: EVENT_STREAM,
    contentSchema: {
      anyOf: ["StateEvent", "ProgressEvent", "PreviewEvent"].map((name) => ({ $ref: `#/components/schemas/${name}` })),
    },
  },
});

const lastEventId = z
  .string()
  .max(20)
  .optional()
  .meta({ description: "Resume after this event. The ids of `state` events." });

/** What happens to tasks, as streams that resume. */
export const EVENT_OPERATIONS = {
  taskEvents: {
    id: "taskEvents",
    method: "GET",
    path: "/v2/tasks/{taskId}/events",
    tag: "tasks",
    summary: "Follow a task",
    description:
      "Server-sent events: `state` (numbered, from the first on or after `Last-Event-ID`), and live `progress` and `preview`. The stream ends after the final state.",
    access: "user",
    counts: "read",
    params: taskParams,
    headers: z.object({ "last-event-id": lastEventId }),
    answers: {
      200: { description: "The stream.", schema: EventStream, contentType: EVENT_STREAM },
      204: {
        description: "The task has ended and `Last-Event-ID` is its last event: there is nothing to wait for.",
        schema: null,
      },
    },
    problems: ["task_not_found", "event_id_unknown"],
  },
  userEvents: {
    id: "userEvents",
    method: "GET",
    path: "/v2/events",
    tag: "tasks",
    summary: "Follow all tasks of the caller",
    description:
      "Server-sent events as of one task, of all of them. Without `Last-Event-ID` it begins now, with an event `ready` whose id is where it begins.",
    access: "user",
    counts: "read",
    headers: z.object({ "last-event-id": lastEventId }),
    answers: { 200: { description: "The stream.", schema: EventStream, contentType: EVENT_STREAM } },
    problems: ["event_id_unknown"],
  },
} as const satisfies Readonly<Record<string, Operation>>;
