import { type Demand, requirementsOfClassKey } from "@genai/dispatcher";
import type { V2Operations, V2Queue, V2QueueClass } from "@genai/protocol";
import type { OperationHandler } from "./operation-router.ts";
import type { V2Context } from "./v2-context.ts";

/** Most users that an administrator is shown. */
const USERS_MAX = 100;

export function getQueue(context: V2Context): OperationHandler<V2Operations["getQueue"]> {
  const { fleet, store } = context.options;
  return async ({ caller }) => {
    const demand = fleet.demand();
    const classes = classesOf(demand, await store.backlog());
    const users = fleet.users();
    const depths = new Map(users.map((user) => [user.userId, user]));
    const depthOf = async (userId: string): Promise<V2Queue["own"]> => {
      const { waiting = 0, running = 0, gpuSeconds = 0, oldestSeconds = 0 } = depths.get(userId) ?? {};
      // The store counts those outside of the dispatcher's window too.
      const stored = Math.max(waiting, await store.queuedOf(userId));
      return {
        waiting: stored,
        running,
        gpuMs: (gpuSeconds * 1_000 * stored) / Math.max(1, waiting),
        oldestMs: Math.round(oldestSeconds * 1_000),
      };
    };
    const isAdmin = caller.role === "admin";
    const most = [...users].sort((a, b) => b.waiting - a.waiting).slice(0, USERS_MAX);
    return {
      status: 200,
      body: {
        waiting: classes.reduce((sum, each) => sum + each.waiting, 0),
        gpuMs: classes.reduce((sum, each) => sum + each.gpuMs, 0),
        slots: demand.slots,
        idleSlots: demand.idleSlots,
        own: await depthOf(caller.userId),
        classes: isAdmin ? classes : null,
        users: isAdmin
          ? await Promise.all(most.map(async ({ userId }) => ({ userId, ...(await depthOf(userId)) })))
          : null,
      },
    };
  };
}

/** What waits by requirement class, in the dispatcher's window and outside of it. */
function classesOf(
  { classes }: Demand,
  backlog: readonly { readonly classKey: string; readonly unclaimed: number }[],
): V2QueueClass[] {
  const outside = new Map(backlog.map(({ classKey, unclaimed }) => [classKey, unclaimed]));
  const listed = classes.map(({ classKey, requirements, waiting, gpuSeconds, ...rest }) => {
    const all = waiting + (outside.get(classKey) ?? 0);
    outside.delete(classKey);
    return classView(requirements, {
      waiting: all,
      gpuMs: (gpuSeconds * 1_000 * all) / Math.max(1, waiting),
      nextMs: Math.max(0, Math.round(rest.headAgeSeconds * 1_000)),
      fittingSlots: rest.fittingSlots,
      idleSlots: rest.idleSlots,
    });
  });
  for (const [classKey, waiting] of outside) {
    if (waiting === 0) continue;
    const nothing = { gpuMs: 0, nextMs: 0, fittingSlots: 0, idleSlots: 0 };
    listed.push(classView(requirementsOfClassKey(classKey), { waiting, ...nothing }));
  }
  return listed.sort((a, b) => b.waiting - a.waiting);
}

type Counts = Pick<V2QueueClass, "waiting" | "gpuMs" | "nextMs" | "fittingSlots" | "idleSlots">;

function classView(requirements: ReturnType<typeof requirementsOfClassKey>, counts: Counts): V2QueueClass {
  const { pipeline, engine, models, gpuType, vramBytesMin, imageInput } = requirements;
  return { pipeline, engine, models: [...models], gpuType, vramBytesMin, imageInput, ...counts };
}
