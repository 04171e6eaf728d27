/** The `code` of a system's, SQLite's or PostgreSQL's error, or the empty string. Asks for no class: an error of another realm
 *  (a worker's, a test's) has the same fields and not the same constructor. */
export function errorCode(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

/** What an error says, or its code where it says nothing. */
export function errorReason(error: unknown): string {
  const message = typeof error === "object" && error !== null && "message" in error ? String(error.message) : "";
  return message === "" ? errorCode(error) || String(error) : message;
}
