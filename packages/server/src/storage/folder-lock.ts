import { mkdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { errorCode, errorReason } from "./error-code.ts";
import { StoreRefused } from "./store-refused.ts";

/** Keeps a second process out of a server's folder: where the tasks are in it, and where it holds only the name under which this
 *  server claims them in PostgreSQL. The lock is one of the operating system's, held through an open
 *  transaction on a small database: it goes with its process however that ends, cannot be taken from a living one, and needs no
 *  guess about whose a process id is (in another container the same number is somebody else). */
export class FolderLock {
  readonly #database: Database.Database;

  private constructor(database: Database.Database) {
    this.#database = database;
  }

  /** Makes the folder where there is none. Throws {@link StoreRefused} where another process holds it or the folder cannot be written. */
  static acquire(folder: string): FolderLock {
    const file = join(folder, "tasks.lock");
    let database: Database.Database | undefined;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      database = new Database(file, { timeout: 0 });
      database.exec("BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS owner (pid INTEGER); DELETE FROM owner;");
      database.prepare("INSERT INTO owner VALUES (?)").run(process.pid);
      // Committed once, so that whoever is refused can read who holds it; then held by the next transaction.
      database.exec("COMMIT; BEGIN IMMEDIATE;");
      return new FolderLock(database);
    } catch (error) {
      const refusal = refused(folder, error, database);
      database?.close();
      throw refusal;
    }
  }

  release(): void {
    this.#database.close();
  }
}

function refused(folder: string, error: unknown, database: Database.Database | undefined): StoreRefused {
  const code = errorCode(error);
  if (code.startsWith("SQLITE_BUSY")) {
    const message = `The folder ${folder} is in use by another server${ownerOf(database)}. Stop it, or give this one a folder of its own (GENAI_HOME).`;
    return new StoreRefused("in_use", message, { cause: error });
  }
  const message = `The folder ${folder} cannot be written (${code || errorReason(error)}). Give it to the user that runs the server, or choose another (GENAI_HOME).`;
  return new StoreRefused("not_writable", message, { cause: error });
}

function ownerOf(database: Database.Database | undefined): string {
  try {
    const pid = database?.prepare("SELECT pid FROM owner").pluck().get();
    return typeof pid === "number" ? ` (process ${pid})` : "";
  } catch {
    // It is only for the sentence, and between the two transactions of a start nobody can read.
    return "";
  }
}
