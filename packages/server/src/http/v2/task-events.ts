import type { V2Operations } from "@genai/protocol";
import { EventFollower } from "./event-follower.ts";
import { lastEventNumber } from "./last-event-id.ts";
import type { OperationHandler } from "./operation-router.ts";
import type { V2Context } from "./v2-context.ts";

const FINAL = new Set(["succeeded", "failed", "canceled"]);

export function taskEvents(context: V2Context): OperationHandler<V2Operations["taskEvents"]> {
  const { store, tasks } = context.options;
  return async ({ params, headers, caller, request, response }) => {
    const task = await context.taskOf(caller, params.taskId);
    const after = lastEventNumber(headers["last-event-id"], task.eventNumber) ?? 0;
    // A reader that has everything would come back for ever if it got another empty stream.
    if (task.settledAtMs !== null && after === task.eventNumber) return { status: 204, body: null };
    new EventFollower(
      {
        subscribe: (listener) => tasks.subscribe(`task:${task.taskId}`, listener),
        read: (from, limit) => store.eventsOf(task.taskId, from, limit),
        cursorOf: (event) => event.number,
        follows: (cursor, { event }) => event.number === cursor + 1,
        isLast: (event) => FINAL.has(event.state),
      },
      response,
      after,
      context.streamLife(request),
    );
    return null;
  };
}

export function userEvents(context: V2Context): OperationHandler<V2Operations["userEvents"]> {
  const { store, tasks } = context.options;
  return async ({ headers, caller, request, response }) => {
    const newest = await store.lastPosition();
    const resumed = lastEventNumber(headers["last-event-id"], newest);
    const follower = new EventFollower(
      {
        subscribe: (listener) => tasks.subscribe(`user:${caller.userId}`, listener),
        read: (from, limit) => store.eventsOfUser(caller.userId, from, limit),
        cursorOf: (event) => event.position,
        // Positions grow in the order of commits.
        follows: (cursor, { event, toldAfter }) => event.position > cursor && cursor >= toldAfter,
        isLast: () => false,
      },
      response,
      resumed ?? newest,
      context.streamLife(request),
    );
    // A stream that is cut before its first event must know where it began.
    if (resumed === null) follower.greet();
    return null;
  };
}
