import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { errorCode, errorReason } from "../error-code.ts";
import { FolderLock } from "../folder-lock.ts";
import { StoreRefused } from "../store-refused.ts";
import { SQLITE_MIGRATIONS } from "./migrations.ts";

/** Marks a database as ours in its header: "GENA". */
const APPLICATION_ID = 0x47454e41;

/** Files up to this size are checked page by page before each start (about 0.1 s); larger ones by `genai-server check`, because a
 *  start must not take as long as reading everything that was ever stored. */
const CHECKED_AT_START_BYTES_MAX = 64 * 1024 * 1024;

/** Newest schema that this program knows. */
const SQLITE_SCHEMA = SQLITE_MIGRATIONS.length;

/** A connection as the store wants it. */
export function connect(
  file: string,
  options: { readonly readonly?: boolean; readonly cacheKib?: number } = {},
): Database.Database {
  const database = new Database(file, { timeout: 5_000, readonly: options.readonly ?? false });
  if (!options.readonly) {
    database.pragma("journal_mode = WAL");
    // What is acknowledged must survive a power cut: with NORMAL one in four did.
    database.pragma("synchronous = FULL");
    // 16 MiB between checkpoints instead of 4: pages that change often are copied back less often.
    database.pragma("wal_autocheckpoint = 4000");
    // A log that once grew large (a long backup held it) is cut back.
    database.pragma(`journal_size_limit = ${64 * 1024 * 1024}`);
  }
  database.pragma(`cache_size = -${options.cacheKib ?? 32_768}`);
  database.pragma("temp_store = MEMORY");
  return database;
}

/** The store's file in a folder, which must be there. Throws {@link StoreRefused} where there is none, and where nobody can tell. */
export function existingFile(folder: string): string {
  const file = join(folder, "tasks.db");
  try {
    statSync(file);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw unreadable(file, error);
    throw new StoreRefused("unreachable", `There is no task store in ${folder}.`);
  }
  return file;
}

/** Looks at a file without changing it. Returns the number of its schema, 0 for none yet.
 *  Throws {@link StoreRefused} where it is damaged, somebody else's, from a newer program or can't be read. */
export function inspect(file: string, options: { readonly thorough: boolean } = { thorough: false }): number {
  let database: Database.Database | undefined;
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats?.isDirectory()) {
      throw new StoreRefused("not_ours", `${file} is a folder, not a task store. It was left as it is; move it away.`);
    }
    const bytes = stats?.size ?? 0;
    if (bytes === 0) return 0;
    checkHeader(file, bytes);
    database = connect(file, { readonly: true });
    const schema = Number(database.pragma("user_version", { simple: true }));
    const owner = database.pragma("application_id", { simple: true });
    if (owner !== APPLICATION_ID && !(owner === 0 && schema === 0)) {
      throw new StoreRefused(
        "not_ours",
        `${file} is another program's database, not a task store. It was left as it is.`,
      );
    }
    if (schema > SQLITE_SCHEMA) throw newerSchema(file, schema);
    if (options.thorough) report(file, database.pragma("integrity_check(1)", { simple: true }));
    else if (bytes <= CHECKED_AT_START_BYTES_MAX) report(file, database.pragma("quick_check(1)", { simple: true }));
    return schema;
  } catch (error) {
    if (error instanceof StoreRefused) throw error;
    if (errorCode(error) !== "" && !errorCode(error).startsWith("SQLITE_")) throw unreadable(file, error);
    throw damaged(file, errorReason(error), error);
  } finally {
    database?.close();
  }
}

/** Brings the schema up to date in one transaction: killed in the middle, the old one stands. */
export function migrate(database: Database.Database, file: string): { readonly from: number; readonly to: number } {
  return database
    .transaction(() => {
      const from = Number(database.pragma("user_version", { simple: true }));
      if (from > SQLITE_SCHEMA) throw newerSchema(file, from);
      for (const migration of SQLITE_MIGRATIONS) if (migration.number > from) database.exec(migration.sql);
      database.pragma(`application_id = ${APPLICATION_ID}`);
      database.pragma(`user_version = ${SQLITE_SCHEMA}`);
      return { from, to: SQLITE_SCHEMA };
    })
    .immediate();
}

/** Makes the folder where there is none, locks it, migrates and leaves. */
export function migrateFolder(folder: string): { readonly from: number; readonly to: number } {
  const lock = FolderLock.acquire(folder);
  let database: Database.Database | undefined;
  try {
    const file = join(folder, "tasks.db");
    inspect(file);
    database = connect(file);
    return migrate(database, file);
  } finally {
    database?.close();
    lock.release();
  }
}

function checkHeader(file: string, bytes: number): void {
  const header = Buffer.alloc(100);
  const descriptor = openSync(file, "r");
  const read = readSync(descriptor, header, 0, 100, 0);
  closeSync(descriptor);
  if (read < 100 || header.toString("latin1", 0, 16) !== "SQLite format 3\0") {
    throw damaged(file, "it does not begin as an SQLite database does");
  }
  // What a log beside the file still holds may not have been copied back yet; then SQLite itself has to judge.
  if ((statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) return;
  const pageBytes = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  const expected = header.readUInt32BE(28) * pageBytes;
  if (bytes < expected) throw damaged(file, `it has ${bytes} bytes and should have ${expected}: its end is missing`);
}

function report(file: string, verdict: unknown): void {
  if (verdict !== "ok") throw damaged(file, String(verdict).split("\n")[0] ?? "");
}

function unreadable(file: string, error: unknown): StoreRefused {
  const message = `The task store ${file} can't be read (${errorCode(error)}). Give it to the user that runs the server, or choose another folder (GENAI_HOME).`;
  return new StoreRefused("unreachable", message, { cause: error });
}

function damaged(file: string, finding: string, cause?: unknown): StoreRefused {
  const message = `The task store ${file} is damaged: ${finding}. It was left as it is; put a backup in its place or move it away to start empty.`;
  return new StoreRefused("damaged", message, { cause });
}

function newerSchema(file: string, schema: number): StoreRefused {
  const message = `The task store ${file} has schema ${schema}, and this server knows schemas up to ${SQLITE_SCHEMA}: it was written by a newer version. Start that version, or one newer still.`;
  return new StoreRefused("newer_schema", message);
}
