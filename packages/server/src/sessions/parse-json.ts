/** The value of a JSON text, or undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** What the sender calls its message, or null. */
export function typeOf(message: unknown): string | null {
  if (typeof message !== "object" || message === null || !Object.hasOwn(message, "type")) return null;
  const { type } = message as { type: unknown };
  return typeof type === "string" ? type : null;
}
