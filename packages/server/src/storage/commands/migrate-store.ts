import { migrateFolder } from "../sqlite/database-file.ts";
import type { StoreLocation } from "./store-location.ts";

/** Brings a store's schema up to date and starts nothing. Running it twice, or twice at once, does no harm.
 *  Throws {@link StoreRefused} where the store is in use (SQLite), damaged, newer or out of reach. */
export async function migrateStore(location: StoreLocation): Promise<{ readonly from: number; readonly to: number }> {
  if (location.databaseUrl === null) return migrateFolder(location.home);
  const { migrateDatabase } = await import("../postgres/migrations.ts");
  return await migrateDatabase(location.databaseUrl);
}
