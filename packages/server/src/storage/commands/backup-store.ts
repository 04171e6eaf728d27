import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { errorCode, errorReason } from "../error-code.ts";
import { connect, existingFile, inspect } from "../sqlite/database-file.ts";
import { StoreRefused } from "../store-refused.ts";
import type { StoreLocation } from "./store-location.ts";

/** Copies a SQLite store into a new file, as it is at one moment, while the server works. The copy appears under its name when it
 *  is whole and on the disk, readable by its owner only. Artifacts are not in it.
 *  Throws {@link StoreRefused} for PostgreSQL, whose own tools do this, where the file exists or can't be written, or where the store is
 *  damaged; then nothing of the copy is left. */
export async function backupStore(location: StoreLocation, target: string): Promise<void> {
  if (location.databaseUrl !== null) {
    const message =
      'A PostgreSQL store is backed up with PostgreSQL\'s own tools: pg_dump --format=custom --schema=genai --file=FILE "$DATABASE_URL".';
    throw new StoreRefused("not_ours", message);
  }
  const file = existingFile(location.home);
  const path = resolve(target);
  if (existsSync(path)) throw new StoreRefused("not_writable", `${path} exists, and a backup overwrites nothing.`);
  inspect(file);
  // A name of its own: another backup into the same file must not finish this one.
  const unfinished = `${path}.${randomUUID().slice(0, 8)}.unfinished`;
  let made = unfinished;
  try {
    // Only for its owner, as the folder that it comes from.
    await (await open(unfinished, "wx", 0o600)).close();
    copy(file, unfinished);
    await sync(unfinished);
    await rename(unfinished, path);
    made = path;
    await sync(dirname(path));
  } catch (error) {
    // Where it can't even be removed, what was wrong before says more.
    await rm(made, { force: true }).catch(() => {});
    throw refusal(error, file, path);
  }
}

function copy(file: string, to: string): void {
  const database = connect(file, { readonly: true });
  try {
    // One read transaction: SQLite's backup call would begin again with each commit of the server, and never end.
    database.prepare("VACUUM INTO ?").run(to);
  } finally {
    database.close();
  }
}

function refusal(error: unknown, file: string, path: string): StoreRefused {
  const code = errorCode(error);
  // The pages of a large store are read here for the first time.
  if (code.startsWith("SQLITE_CORRUPT")) {
    const message = `The task store ${file} is damaged: ${errorReason(error)}. It was left as it is, and no backup was made.`;
    return new StoreRefused("damaged", message, { cause: error });
  }
  const message = `${path} can't be written (${code || errorReason(error)}). Choose another folder.`;
  return new StoreRefused("not_writable", message, { cause: error });
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
