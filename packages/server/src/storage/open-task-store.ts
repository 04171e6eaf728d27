import { randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TaskStore } from "../tasks/task-store.ts";
import type { StoreLocation } from "./commands/store-location.ts";
import { errorCode } from "./error-code.ts";
import { PostgresTaskStore } from "./postgres/postgres-task-store.ts";
import { SqliteTaskStore } from "./sqlite/sqlite-task-store.ts";

/** Opens the store that the configuration asks for: PostgreSQL where there is a URL, else SQLite in the folder `home`.
 *  Rejects with {@link StoreRefused} where it cannot be opened. */
export async function openTaskStore(options: StoreLocation): Promise<TaskStore> {
  if (options.databaseUrl === null) return SqliteTaskStore.open(options.home);
  return PostgresTaskStore.open(options.databaseUrl, await serverIdIn(options.home));
}

/** The name under which this server claims tasks, made once and kept in its folder. */
async function serverIdIn(home: string): Promise<string> {
  const file = join(home, "server-id");
  await mkdir(home, { recursive: true, mode: 0o700 });
  try {
    await writeFile(file, randomUUID(), { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
  return (await readFile(file, "utf8")).trim();
}
