import { readJson } from "../json-text.ts";

/** The value of a JSON text, or undefined where it is none, or one that nests or holds too much. */
export function parseJson(text: string): unknown {
  const reading = readJson(text);
  return reading.ok ? reading.value : undefined;
}

/** What the sender calls its message, or null. */
export function typeOf(message: unknown): string | null {
  if (typeof message !== "object" || message === null || !Object.hasOwn(message, "type")) return null;
  const { type } = message as { type: unknown };
  return typeof type === "string" ? type : null;
}
