import type { StoreLocation } from "./commands/store-location.ts";
import { PostgresTaskStore } from "./postgres/postgres-task-store.ts";
import type { ServerStore } from "./server-store.ts";
import { SqliteTaskStore } from "./sqlite/sqlite-task-store.ts";

/** Opens the store that the configuration asks for: PostgreSQL where there is a URL, else SQLite in the folder `home`. Either way
 *  the folder is this process's alone until the store is closed.
 *  Rejects with {@link StoreRefused} where it cannot be opened. */
export function openTaskStore({ databaseUrl, home }: StoreLocation): Promise<ServerStore> {
  return databaseUrl === null ? SqliteTaskStore.open(home) : PostgresTaskStore.open(databaseUrl, home);
}
