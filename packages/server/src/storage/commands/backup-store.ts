import { existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { connect, inspect } from "../sqlite/database-file.ts";
import { StoreRefused } from "../store-refused.ts";
import type { StoreLocation } from "./store-location.ts";

/** Copies a SQLite store into a new file, as it is at one moment, while the server works. The copy appears under its name when it
 *  is whole and on the disk. Artifacts are not in it.
 *  Throws {@link StoreRefused} for PostgreSQL, whose own tools do this, where the file exists, or where the store is damaged. */
export async function backupStore(location: StoreLocation, target: string): Promise<void> {
  if (location.databaseUrl !== null) {
    const message =
      'A PostgreSQL store is backed up with PostgreSQL\'s own tools: pg_dump --format=custom --schema=genai --file=FILE "$DATABASE_URL".';
    throw new StoreRefused("not_ours", message);
  }
  const file = join(location.home, "tasks.db");
  if (!existsSync(file)) throw new StoreRefused("unreachable", `There is no task store in ${location.home}.`);
  const path = resolve(target);
  if (existsSync(path)) throw new StoreRefused("not_writable", `${path} exists, and a backup overwrites nothing.`);
  inspect(file);
  const unfinished = `${path}.unfinished`;
  await rm(unfinished, { force: true });
  const database = connect(file, { readonly: true });
  try {
    // One read transaction: SQLite's backup call would begin again with each commit of the server, and never end.
    database.prepare("VACUUM INTO ?").run(unfinished);
  } finally {
    database.close();
  }
  await sync(unfinished);
  await rename(unfinished, path);
  await sync(dirname(path));
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
