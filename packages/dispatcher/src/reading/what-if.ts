import type { Core } from "../core.ts";
import type { Refusal } from "../effect.ts";
import { TaskRecord } from "../state/task-record.ts";
import { UserRecord } from "../state/user-record.ts";
import type { Task } from "../task.ts";
import { taskProblem } from "../validate.ts";
import { explainProviders, isImpossible, type ProviderExplanation } from "./explanation.ts";

/** What would become of a task if it were submitted now. */
export type WhatIf =
  | {
      readonly ok: true;
      /** No provider that is known here could ever take it. */
      readonly impossible: boolean;
      /** The provider with the least score, free or busy, before anybody who waits already; null where none is eligible. */
      readonly best: ProviderExplanation | null;
      readonly providers: readonly ProviderExplanation[];
    }
  | { readonly ok: false; readonly refusal: Refusal };

/** Asks without submitting: nothing changes. */
export function whatIf(core: Core, task: Task): WhatIf {
  const refusal = taskProblem(task, core.options);
  if (refusal !== null) return { ok: false, refusal };
  const user = core.users.get(task.userId) ?? new UserRecord(task.userId, 0);
  const taskClass = core.placement.passingClassOf(task);
  const profile = core.estimates.profileOf(taskClass.model, task.work.signature);
  const providers = explainProviders(core, new TaskRecord(task, user, taskClass, profile, 0, core.nowMs));
  const best = providers.find((provider) => provider.eligible) ?? null;
  return { ok: true, impossible: isImpossible(providers), best, providers };
}
