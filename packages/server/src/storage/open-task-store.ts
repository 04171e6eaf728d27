import type { TaskStore } from "../tasks/task-store.ts";
import { SqliteTaskStore } from "./sqlite/sqlite-task-store.ts";

/** Opens the store that the configuration asks for: SQLite in the folder `home`.
 *  Rejects with {@link StoreRefused} where it cannot be opened. */
export function openTaskStore(options: {
  readonly databaseUrl: string | null;
  readonly home: string;
}): Promise<TaskStore> {
  if (options.databaseUrl !== null) throw new Error("DATABASE_URL: only SQLite is built in so far.");
  return SqliteTaskStore.open(options.home);
}
