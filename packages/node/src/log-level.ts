const LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];

/** The level that LOG_LEVEL names; `info` where it names none. Throws a sentence where there is no such level. */
export function logLevel(text: string | undefined): string {
  if (text === undefined || text === "") return "info";
  if (LEVELS.includes(text)) return text;
  throw new Error(`LOG_LEVEL is "${text}"; it must be one of ${LEVELS.join(", ")}.`);
}
