import type { AttemptState } from "@genai/dispatcher";
import { NO_SPAN, type Span, type Tracing } from "@genai/tracing";
import type { LiveAttempt, LiveTask } from "./live-task.ts";

/** A task begins to wait: now, or at the instant that is given. */
export function startWait(tracing: Tracing, task: LiveTask, sinceMs: number | null): void {
  if (!tracing.isOn) return;
  const { taskId, traceparent, pipelineType } = task.stored;
  task.waitSpan = tracing.start("wait in the queue", {
    parent: traceparent,
    attributes: { "genai.task.id": taskId, "genai.pipeline": pipelineType },
    ...(sinceMs === null ? {} : { startedAtMs: sinceMs }),
  });
}

/** A span of an attempt as the server sees it, from its send. The node continues from it. */
export function startAttempt(tracing: Tracing, task: LiveTask, attempt: LiveAttempt): Span {
  if (!tracing.isOn) return NO_SPAN;
  return tracing.start("attempt", {
    parent: task.stored.traceparent,
    attributes: {
      "genai.task.id": attempt.taskId,
      "genai.attempt.id": attempt.attemptId,
      "genai.attempt": attempt.attempt,
      "genai.node.id": attempt.nodeId,
    },
  });
}

/** An attempt closed. */
export function endAttempt({ span, error, abortReason }: LiveAttempt, state: AttemptState): void {
  if (span === NO_SPAN) return;
  span.end({
    attributes: {
      "genai.attempt.state": state,
      ...(abortReason === null ? {} : { "genai.abort.reason": abortReason }),
    },
    failure: state === "succeeded" || state === "aborted" ? null : (error?.code ?? state),
  });
}

/** A span from a task's end to its place on the disk: below the attempt that ended it where there is one. */
export function startResult(tracing: Tracing, task: LiveTask, attempt: number | null): Span {
  if (!tracing.isOn) return NO_SPAN;
  const of = attempt === null ? undefined : task.attempts.get(attempt);
  return tracing.start("store the result", {
    parent: of?.span.traceparent ?? task.stored.traceparent,
    attributes: {
      "genai.task.id": task.stored.taskId,
      "genai.task.state": task.stored.state,
      "genai.artifacts": task.stored.artifacts.length,
    },
  });
}

/** A task is no longer this server's: nothing more is heard of what is under way. */
export function endSpans(task: LiveTask, why: string): void {
  task.waitSpan.end({ failure: why });
  for (const { span } of task.attempts.values()) span.end({ failure: why });
}
