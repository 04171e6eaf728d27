import type { V2Operations } from "@genai/protocol";
import { entityTag, namesTag } from "./entity-tag.ts";
import type { OperationHandler } from "./operation-router.ts";
import type { V2Context } from "./v2-context.ts";

export function getTask(context: V2Context): OperationHandler<V2Operations["getTask"]> {
  return async ({ params, headers, caller, request, response }) => {
    const found = await context.taskOf(caller, params.taskId);
    const body = await context.view(await context.afterWait(found, headers.prefer, response), request);
    const etag = entityTag(body);
    return namesTag(headers["if-none-match"], etag)
      ? { status: 304, body: null, headers: { ETag: etag } }
      : { status: 200, body, headers: { ETag: etag, "Cache-Control": "private, no-cache" } };
  };
}
