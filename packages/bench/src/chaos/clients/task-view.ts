import { V2Task } from "@genai/protocol";
import { type Answer, ask } from "./ask.ts";
import type { SeenEnd } from "./client-log.ts";

/** The task in a good answer; null for no answer and for a refusal. Throws where a good answer holds no task. */
export function taskIn(answer: Answer | null): V2Task | null {
  return answer === null || answer.status >= 300 ? null : V2Task.parse(answer.body);
}

/** How it ended, or null where it has not. */
export function endOf(view: V2Task): SeenEnd | null {
  if (view.state === "queued" || view.state === "running") return null;
  return { state: view.state, artifacts: (view.result?.artifacts ?? []).map(({ sha256, url }) => sha256 ?? url) };
}

/** Reads a task, waiting up to `waitSeconds` for its end. */
export function readTask(base: string, taskId: string, token: string, waitSeconds: number): Promise<Answer | null> {
  return ask(`${base}/v2/tasks/${taskId}`, {
    headers: { authorization: `Bearer ${token}`, ...(waitSeconds > 0 && { prefer: `wait=${waitSeconds}` }) },
    timeoutMs: waitSeconds * 1_000 + 10_000,
  });
}
