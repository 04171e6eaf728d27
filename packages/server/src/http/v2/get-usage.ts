import type { V2Operations } from "@genai/protocol";
import { HttpRefusal } from "../http-refusal.ts";
import type { OperationHandler } from "./operation-router.ts";
import type { V2Context } from "./v2-context.ts";

export function getUsage(context: V2Context): OperationHandler<V2Operations["getUsage"]> {
  return async ({ query, caller }) => {
    const userId = query.user ?? caller.userId;
    if (userId !== caller.userId && caller.role !== "admin") {
      throw new HttpRefusal("forbidden", { detail: "only an administrator may see another user's usage" });
    }
    const { tasks, gpuMs, cost } = await context.options.store.usageOf(userId);
    return { status: 200, body: { userId, tasks: { ...tasks }, gpuMs, cost } };
  };
}
