import type { V2Operations } from "@genai/protocol";
import { EventFollower } from "./event-follower.ts";
import { lastEventNumber } from "./last-event-id.ts";
import type { OperationHandler } from "./operation-router.ts";
import type { V2Context } from "./v2-context.ts";

const FINAL = new Set(["succeeded", "failed", "canceled"]);

export function taskEvents(context: V2Context): OperationHandler<V2Operations["taskEvents"]> {
  const { store, tasks, stopping } = context.options;
  return async ({ params, headers, caller, response }) => {
    const task = await context.taskOf(caller, params.taskId);
    const after = lastEventNumber(headers["last-event-id"], task.eventNumber) ?? 0;
    // A reader that has everything would come back for ever if it got another empty stream.
    if (task.settledAtMs !== null && after === task.eventNumber) return { status: 204, body: null };
    new EventFollower(
      {
        subscribe: (listener) => tasks.subscribe(`task:${task.taskId}`, listener),
        read: (from, limit) => store.eventsOf(task.taskId, from, limit),
        cursorOf: (event) => event.number,
        follows: (cursor, event) => event.number === cursor + 1,
        isLast: (event) => FINAL.has(event.state),
      },
      response,
      after,
      stopping,
    );
    return null;
  };
}
