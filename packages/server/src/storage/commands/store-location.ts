/** Where the configuration says that the store is. */
export interface StoreLocation {
  /** A PostgreSQL URL, or null for SQLite. */
  readonly databaseUrl: string | null;
  /** The folder of SQLite's file. */
  readonly home: string;
}
