export type { NewTask, TaskArtifact, TaskEvent } from "../tasks/stored-task.ts";
export { type ChangeOutcome, type StoreChange, StoreUnavailable, type TaskStore } from "../tasks/task-store.ts";
export { backupStore } from "./commands/backup-store.ts";
export { checkStore } from "./commands/check-store.ts";
export { migrateStore } from "./commands/migrate-store.ts";
export { openTaskStore } from "./open-task-store.ts";
export type { ServerStore } from "./server-store.ts";
export { StoreRefused } from "./store-refused.ts";
