import { join } from "node:path";
import type { TrialContext } from "../trial.ts";
import { PostgresProcess } from "./postgres-process.ts";

/** The database that a trial's server keeps its tasks in. */
export interface TrialDatabase extends AsyncDisposable {
  /** Null for SQLite in the server's own folder. */
  readonly url: string | null;
}

export async function databaseFor({ store, folder }: Pick<TrialContext, "store" | "folder">): Promise<TrialDatabase> {
  if (store === "sqlite") return { url: null, [Symbol.asyncDispose]: async () => undefined };
  const postgres = await PostgresProcess.start(join(folder, "postgres"), { existing: false });
  return {
    url: await postgres.createDatabase("chaos"),
    [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose](),
  };
}
