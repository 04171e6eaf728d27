import { createHash } from "node:crypto";
import type { TaskListQuery, V2Operations } from "@genai/protocol";
import type { TaskListFilter } from "../../tasks/task-store.ts";
import { HttpRefusal } from "../http-refusal.ts";
import type { OperationHandler } from "./operation-router.ts";
import type { V2Context } from "./v2-context.ts";
import { summaryView } from "./v2-view.ts";

export function listTasks(context: V2Context): OperationHandler<V2Operations["listTasks"]> {
  return async ({ query, caller, request }) => {
    const filter = filterOf(query);
    const list = listName(caller.userId, filter);
    const { store } = context.options;
    const page = await store.tasksOf(caller.userId, filter, query.limit, openCursor(query.cursor, list));
    const artifactUrl = context.artifactUrl(request);
    return {
      status: 200,
      body: {
        tasks: page.tasks.map((task) => summaryView(task, artifactUrl)),
        next: page.next === null ? null : Buffer.from(`${list} ${page.next}`).toString("base64url"),
      },
    };
  };
}

function filterOf(query: TaskListQuery): TaskListFilter {
  const colon = query.metadata?.indexOf(":") ?? -1;
  return {
    ...(query.state === undefined ? {} : { states: query.state }),
    ...(query.model === undefined ? {} : { model: query.model }),
    ...(query.metadata === undefined
      ? {}
      : { metadata: { key: query.metadata.slice(0, colon), value: query.metadata.slice(colon + 1) } }),
    ...(query.createdAfter === undefined ? {} : { createdAfterMs: Date.parse(query.createdAfter) }),
    ...(query.createdBefore === undefined ? {} : { createdBeforeMs: Date.parse(query.createdBefore) }),
  };
}

/** A short name of a list: whose it is and how it is filtered. A cursor carries it, so that one of another list is told. */
function listName(userId: string, filter: TaskListFilter): string {
  return createHash("sha256")
    .update(JSON.stringify([userId, filter]))
    .digest("base64url")
    .slice(0, 12);
}

function openCursor(cursor: string | undefined, list: string): string | null {
  if (cursor === undefined) return null;
  const [name, place, ...more] = Buffer.from(cursor, "base64url").toString("utf8").split(" ");
  if (name !== list || place === undefined || !/^[0-9a-f-]{36}$/.test(place) || more.length > 0) {
    throw new HttpRefusal("cursor_invalid");
  }
  return place;
}
