import type { V2Blocked, V2Task, V2TaskSummary } from "@genai/protocol";
import type { StoredAttempt, StoredTask, TaskArtifact } from "../../tasks/stored-task.ts";
import type { TaskReading } from "../fleet-readings.ts";

/** Makes the absolute URL of one of our artifacts. */
export type ArtifactUrl = (artifact: TaskArtifact) => string;

/** A task as v2's lists show it. */
export function summaryView(task: StoredTask, artifactUrl: ArtifactUrl): V2TaskSummary {
  return {
    id: task.taskId as V2TaskSummary["id"],
    state: task.state,
    api: task.api,
    pipelineType: task.pipelineType,
    priority: task.priority,
    maxCost: task.maxCost,
    timeToMoneyRatio: task.timeToMoneyRatio,
    createdAt: instant(task.createdAtMs),
    startedAt: instantOrNull(task.startedAtMs),
    settledAt: instantOrNull(task.settledAtMs),
    deadlineAt: instantOrNull(task.deadlineAtMs),
    maxAttempts: task.maxAttempts,
    models: [...task.requirements.models],
    metadata: task.metadata === null ? null : (JSON.parse(task.metadata) as Record<string, unknown>),
    eventNumber: task.eventNumber,
    result:
      task.state === "succeeded"
        ? { artifacts: task.artifacts.map((artifact) => artifactView(artifact, artifactUrl)) }
        : null,
    error: task.error,
  };
}

/** A task with its attempts and what only the running dispatcher knows. */
export function taskView(
  task: StoredTask,
  attempts: readonly StoredAttempt[],
  live: TaskReading | null,
  blocked: V2Blocked | null,
  artifactUrl: ArtifactUrl,
): V2Task {
  return {
    ...summaryView(task, artifactUrl),
    position: live?.position ?? null,
    expectedMs: live?.expectedMs ?? null,
    progress: task.state === "succeeded" ? 1 : (live?.progress ?? 0),
    blocked,
    attempts: attempts.map(attemptView),
  };
}

function attemptView(attempt: StoredAttempt): V2Task["attempts"][number] {
  return {
    attempt: attempt.attempt,
    nodeId: attempt.nodeId,
    state: attempt.state,
    cost: attempt.cost,
    openedAt: instant(attempt.openedAtMs),
    closedAt: instantOrNull(attempt.closedAtMs),
    gpuMs: attempt.gpuMs,
    error: attempt.error,
  };
}

function artifactView(artifact: TaskArtifact, artifactUrl: ArtifactUrl) {
  const { index, sha256, bytes, mime, width, height, seed } = artifact;
  return { index, url: artifact.url ?? artifactUrl(artifact), sha256, bytes, mime, width, height, seed };
}

export function instant(ms: number): string {
  return new Date(ms).toISOString();
}

function instantOrNull(ms: number | null): string | null {
  return ms === null ? null : instant(ms);
}
