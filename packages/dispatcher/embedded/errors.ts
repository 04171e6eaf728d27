import type { Refusal, Settlement } from "@genai/dispatcher";

type FailureCode = Extract<Settlement, { state: "failed" }>["code"];

/** Thrown to a caller whose input was refused; nothing was changed. `refusal.field` names what is wrong, as in `task.maxCost`. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** What a task's promise is rejected with when it does not succeed. `cause` is what its last attempt threw, where one did. */
export class TaskError extends Error {
  override readonly name = "TaskError";
  readonly taskId: string;
  readonly code: FailureCode | "canceled" | "closed";

  constructor(taskId: string, code: TaskError["code"], cause: unknown) {
    super(`Task ${taskId} did not succeed: ${code}.`, cause === undefined ? {} : { cause });
    this.taskId = taskId;
    this.code = code;
  }
}

/** For a transport to throw: the task itself is at fault, and no other provider would do better. */
export class TaskFault extends Error {
  override readonly name = "TaskFault";
}

/** For a transport to throw: the provider hands the task back unharmed and is not asked again for it for half a minute. */
export class Declined extends Error {
  override readonly name = "Declined";
}
