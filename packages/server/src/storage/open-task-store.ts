import type { StoreLocation } from "./commands/store-location.ts";
import type { ServerStore } from "./server-store.ts";
import { SqliteTaskStore } from "./sqlite/sqlite-task-store.ts";

/** Opens the store that the configuration asks for: PostgreSQL where there is a URL, else SQLite in the folder `home`. Either way
 *  the folder is this process's alone until the store is closed.
 *  Rejects with {@link StoreRefused} where it cannot be opened. */
export async function openTaskStore({ databaseUrl, home }: StoreLocation): Promise<ServerStore> {
  if (databaseUrl === null) return await SqliteTaskStore.open(home);
  // Whoever keeps tasks in a file does not wait for PostgreSQL's client to load.
  const { PostgresTaskStore } = await import("./postgres/postgres-task-store.ts");
  return await PostgresTaskStore.open(databaseUrl, home);
}
