const CODES = new Set(["ENOSPC", "EDQUOT", "EACCES", "EROFS", "EIO", "ENOENT", "EMFILE", "ENFILE"]);

/** Whether this machine's disk is at fault, and not the engine. */
export function isDiskError(error: unknown): boolean {
  return error instanceof Error && "code" in error && CODES.has(String(error.code));
}
