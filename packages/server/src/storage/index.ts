export type { NewTask, StoredAttempt, StoredTask, TaskArtifact, TaskEvent } from "../tasks/stored-task.ts";
export { type ChangeOutcome, type StoreChange, StoreUnavailable, type TaskStore } from "../tasks/task-store.ts";
export { openTaskStore } from "./open-task-store.ts";
export { StoreRefused } from "./store-refused.ts";
