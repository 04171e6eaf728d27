import { readFileSync } from "node:fs";
import type { z } from "zod";
import { VARIABLES, type Variable } from "./variables.ts";

/** Reads a value; absent only where there is no default. */
type Value<Entry> =
  Entry extends Variable<infer Schema, infer Default>
    ? Default extends string
      ? z.output<Schema>
      : z.output<Schema> | null
    : never;

/** The server's configuration, parsed once. Durations in milliseconds, sizes in bytes; null where a variable is unset. */
export type Configuration = { readonly [Name in keyof typeof VARIABLES]: Value<(typeof VARIABLES)[Name]> };

/** The environment can't be used. The message names the variable, its value and what it may be. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

/** Parses the environment. Throws {@link ConfigurationError} at the first wrong value. An empty value counts as unset, but for
 *  variables whose default is empty. `<NAME>_FILE` gives a secret by a file. */
export function readConfiguration(environment: Readonly<Record<string, string | undefined>>): Configuration {
  const values: Record<string, unknown> = {};
  for (const [name, variable] of Object.entries(VARIABLES) as [string, Variable][]) {
    const text = textOf(name, variable, environment);
    const chosen = text ?? variable.default;
    if (chosen === null) {
      values[name] = null;
      continue;
    }
    const parsed = variable.schema.safeParse(chosen);
    if (!parsed.success) {
      const shown = variable.secret || variable.hidden ? "(secret)" : JSON.stringify(chosen);
      throw new ConfigurationError(`${name} is ${shown}, but it ${parsed.error.issues[0]?.message}.`);
    }
    values[name] = parsed.data;
  }
  const configuration = values as Configuration;
  if (configuration.USE_SUPABASE && configuration.DATABASE_URL === null) {
    throw new ConfigurationError(
      "USE_SUPABASE is true, but DATABASE_URL is not set: give the PostgreSQL URL of the Supabase project.",
    );
  }
  return configuration;
}

function textOf(
  name: string,
  variable: Variable,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const file = variable.secret ? environment[`${name}_FILE`] : undefined;
  const text = environment[name];
  if (file === undefined || file === "") return text === "" ? undefined : text;
  if (text !== undefined && text !== "") {
    throw new ConfigurationError(`${name} and ${name}_FILE are both set: give one of them.`);
  }
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new ConfigurationError(`${name}_FILE is ${JSON.stringify(file)}, which can't be read.`, { cause: error });
  }
}
