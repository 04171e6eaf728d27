import type { DispatcherEffect } from "@genai/dispatcher";

/** Which duration of an effect no store would take, or null: they are whole milliseconds, whatever fractions the clock has. */
export function wrongNumber(effect: DispatcherEffect): string | null {
  for (const [name, value] of Object.entries(effect)) {
    if (name.endsWith("Ms") && !(Number.isSafeInteger(value) && value >= 0)) {
      return `${effect.type} says ${name} ${value}, which is no whole number of milliseconds`;
    }
  }
  return null;
}
