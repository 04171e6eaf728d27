import type { HttpRefusal } from "../http-refusal.ts";

/** A refusal in v1's form. `task_id` is there where a task lives on. */
export function v1RefusalBody(refusal: HttpRefusal): {
  readonly ok: false;
  readonly error: string;
  readonly task_id?: string;
} {
  return { ok: false, error: refusal.message, ...(refusal.taskId === null ? {} : { task_id: refusal.taskId }) };
}
