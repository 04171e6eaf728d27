import { migrateDatabase } from "../postgres/migrations.ts";
import { migrateFolder } from "../sqlite/database-file.ts";
import type { StoreLocation } from "./store-location.ts";

/** Brings a store's schema up to date and starts nothing. Running it twice, or twice at once, does no harm.
 *  Throws {@link StoreRefused} where the store is in use (SQLite), damaged, newer or out of reach. */
export async function migrateStore(location: StoreLocation): Promise<{ readonly from: number; readonly to: number }> {
  return location.databaseUrl === null ? migrateFolder(location.home) : migrateDatabase(location.databaseUrl);
}
