import {
  EXPLANATIONS,
  type ExplanationCode,
  NODE_REASONS,
  type V2Explanation,
  type V2Operations,
} from "@genai/protocol";
import type { StoredTask } from "../../tasks/stored-task.ts";
import { blockingReasons } from "../blocked-tasks.ts";
import type { TaskReading, TaskStanding } from "../fleet-readings.ts";
import { HttpRefusal } from "../http-refusal.ts";
import { blockedView } from "./blocked-view.ts";
import type { OperationHandler } from "./operation-router.ts";
import { taskOfBody } from "./task-of-body.ts";
import type { V2Context } from "./v2-context.ts";
import { instant } from "./v2-view.ts";

/** Most nodes that one answer tells of. */
const NODES_MAX = 100;

export function explainTask(context: V2Context): OperationHandler<V2Operations["explainTask"]> {
  const { fleet, wallMs } = context.options;
  return async ({ params, caller }) => {
    const task = await context.taskOf(caller, params.taskId);
    const standing = task.settledAtMs === null ? fleet.explain(task) : null;
    return { status: 200, body: explanation(task, standing, fleet.task(task.taskId), wallMs()) };
  };
}

/** The same of a task that nobody has submitted. */
export function explain(context: V2Context): OperationHandler<V2Operations["explain"]> {
  const { fleet, wallMs } = context.options;
  return async ({ body, files, caller }) => {
    const standing = fleet.explain(await taskOfBody(context.options, body, files, { userId: caller.userId }));
    if (standing === null) throw new HttpRefusal("invalid_request", { detail: "such a task could not be submitted" });
    return { status: 200, body: explanation(null, standing, null, wallMs()) };
  };
}

function explanation(
  task: StoredTask | null,
  standing: TaskStanding | null,
  reading: TaskReading | null,
  nowMs: number,
): V2Explanation {
  const waits = standing !== null && standing.state !== "running";
  const providers = standing?.providers ?? [];
  const best = providers.find(({ eligible }) => eligible);
  const code = codeOf(task, standing);
  return {
    taskId: (task?.taskId ?? null) as V2Explanation["taskId"],
    state: task?.state ?? null,
    code,
    message: sentence(code, task, standing, reading),
    blocked: waits && standing.impossible ? blockedView(blockingReasons(standing)) : null,
    position: reading?.position ?? null,
    expectedMs: reading?.expectedMs ?? (best?.parts ? Math.round(best.parts.runSeconds * 1_000) : null),
    retryAt: standing?.retryInMs == null ? null : instant(nowMs + standing.retryInMs),
    hold: holdView(standing),
    nodes: providers.slice(0, NODES_MAX).map(nodeView),
    nodesLeftOut: Math.max(0, providers.length - NODES_MAX),
  };
}

/** The first thing that is true, from what lasts longest to what passes at once. */
function codeOf(task: StoredTask | null, standing: TaskStanding | null): ExplanationCode {
  if (task !== null && task.settledAtMs !== null) return "ended";
  if (standing === null) return "queued";
  const { state, providers, impossible, userAtCap, hold } = standing;
  if (state === "running" || (state === null && task?.state === "running")) return "running";
  if (providers.length === 0) return "no_nodes";
  if (impossible) return "blocked";
  if (state === "adrift") return "adrift";
  if (state === "backingOff") return "backing_off";
  if (userAtCap) return "user_at_cap";
  if (hold !== null) return "held";
  const eligible = providers.filter((provider) => provider.eligible);
  if (eligible.length === 0) return "nodes_unavailable";
  return eligible.every(({ reasons }) => reasons.includes("busy")) ? "queued" : "next";
}

function sentence(
  code: ExplanationCode,
  task: StoredTask | null,
  standing: TaskStanding | null,
  reading: TaskReading | null,
): string {
  const own = reading?.position ? ` ${reading.position} of its user's tasks stand before it.` : "";
  switch (code) {
    case "ended":
      return `It has ended: ${task?.state}${task?.error ? ` (${task.error.message.replace(/\.$/, "")})` : ""}.`;
    case "blocked":
    case "no_nodes":
      return blockedView(blockingReasons({ providers: standing?.providers ?? [] }))?.message ?? EXPLANATIONS[code];
    case "backing_off":
      return `It waits ${seconds(standing?.retryInMs ?? 0)} after attempt ${task?.lastAttempt ?? 0} failed.`;
    case "held": {
      const { nodeId, over } = holdView(standing) ?? { nodeId: "a node", over: null };
      return `It waits for ${nodeId}, which is busy, although ${over ?? "another"} is free: it expects to be better served there.`;
    }
    case "queued":
      return `${EXPLANATIONS.queued}${own}`;
    case "next":
      return `${EXPLANATIONS.next}${own}`;
    default:
      return EXPLANATIONS[code];
  }
}

function holdView(standing: TaskStanding | null): V2Explanation["hold"] {
  if (standing === null || standing.hold === null) return null;
  const { providerId, over, forMsMost } = standing.hold;
  return { nodeId: providerId, over, forMsMost };
}

function nodeView({ providerId, eligible, reasons, parts }: TaskStanding["providers"][number]) {
  return {
    nodeId: providerId,
    eligible,
    reasons: reasons.map((code) => ({ code, message: NODE_REASONS[code] })),
    score:
      parts === null
        ? null
        : {
            cost: parts.cost,
            aheadMs: parts.aheadSeconds * 1_000,
            loadMs: parts.loadSeconds * 1_000,
            runMs: parts.runSeconds * 1_000,
            score: parts.score,
          },
  };
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
