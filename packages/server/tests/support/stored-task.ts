import type { NewTask, StoredTask } from "../../src/tasks/stored-task.ts";

/** A task as a store has it right after its birth: queued, with nothing behind it. */
export function storedTask({ pipeline, ...task }: NewTask): StoredTask {
  return {
    ...task,
    pipelineType: pipeline.type,
    state: "queued",
    eventNumber: 1,
    lastAttempt: 0,
    faults: 0,
    losses: 0,
    failedNodeIds: [],
    handedBack: false,
    notBeforeMs: 0,
    startedAtMs: null,
    settledAtMs: null,
    artifacts: [],
    error: null,
  };
}
