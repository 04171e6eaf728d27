import { createHash } from "node:crypto";
import type { Idempotency } from "../coordinator/submissions.ts";
import type { SubmitOutcome, TaskService } from "../coordinator/task-service.ts";
import type { NewTask, StoredTask } from "../tasks/stored-task.ts";
import { fieldRefusal, HttpRefusal } from "./http-refusal.ts";

/** Longest idempotency key, in characters. */
const KEY_CHARS_MAX = 255;

/** What an `Idempotency-Key` header and the request's own words come to, or null without the header. The hash is taken over
 *  the parsed body with sorted keys, so that spaces and the order of fields do not make another request. */
export function idempotencyOf(key: string | undefined, route: string, body: unknown): Idempotency | null {
  if (key === undefined) return null;
  if (key === "" || key.length > KEY_CHARS_MAX) {
    const message = `must have 1 to ${KEY_CHARS_MAX} characters`;
    throw new HttpRefusal("invalid_request", {
      detail: `Idempotency-Key ${message}`,
      fields: [{ field: "Idempotency-Key", message }],
    });
  }
  return {
    key,
    bodyHash: createHash("sha256")
      .update(`${route}\n${canonical(body)}`)
      .digest("hex"),
  };
}

/** Stores a task; refuses in the one vocabulary that both APIs share. `repeated` tells a task that an earlier call made. */
export async function submitTask(
  tasks: TaskService,
  task: NewTask,
  idempotency: Idempotency | null,
): Promise<{ readonly task: StoredTask; readonly repeated: boolean }> {
  const outcome = await tasks.submit(task, idempotency);
  switch (outcome.type) {
    case "stored":
      return { task: outcome.task, repeated: false };
    case "repeated":
      return { task: outcome.task, repeated: true };
    default:
      throw refusalOfSubmit(outcome);
  }
}

function refusalOfSubmit(outcome: Exclude<SubmitOutcome, { type: "stored" | "repeated" }>): HttpRefusal {
  switch (outcome.type) {
    case "key_reused":
      return new HttpRefusal("idempotency_key_reused");
    case "queue_full":
      return new HttpRefusal("queue_full", { detail: outcome.message, retryAfterMs: outcome.retryAfterMs });
    case "refused":
      return fieldRefusal(outcome.field, outcome.message);
    case "unavailable":
      return new HttpRefusal("unavailable", {
        detail: "the store is away at present; the task was not stored",
        retryAfterMs: outcome.retryAfterMs,
      });
  }
}

/** JSON with sorted keys at every level. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  );
}
