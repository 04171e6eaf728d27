import { readFileSync } from "node:fs";
import type { z } from "zod";
import { isLocalAddress } from "./grpc/listen-address.ts";
import { VARIABLES, type Variable } from "./variables.ts";

/** Reads a value; undefined only where there is no default. */
type Value<Entry> =
  Entry extends Variable<infer Schema, infer Default>
    ? Default extends string
      ? z.output<Schema>
      : z.output<Schema> | undefined
    : never;

type Values = { readonly [Name in keyof typeof VARIABLES]: Value<(typeof VARIABLES)[Name]> };

/** The scaler's settings. Durations in milliseconds. */
export type ScalerConfig = Values & {
  /** Patterns of images that may run. */
  readonly imageAllow: readonly string[];
  /** Whether the address can be reached from this machine alone. */
  readonly local: boolean;
};

/** Why the scaler will not start; one sentence for a person. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Reads and checks the environment; a secret can stand in a file named by `NAME_FILE`. An empty value counts as none.
 *  Throws {@link ConfigError}. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): ScalerConfig {
  const config = readValues(env);
  const local = isLocalAddress(config.GRPC_SERVER_ADDR);
  if (!local) checkExposed(config);
  if ((config.TLS_CERT === undefined) !== (config.TLS_KEY === undefined)) {
    throw new ConfigError("TLS_CERT and TLS_KEY go together; one of them is missing.");
  }
  if (config.TLS_CLIENT_CA !== undefined && config.TLS_CERT === undefined) {
    throw new ConfigError("TLS_CLIENT_CA needs TLS_CERT and TLS_KEY beside it.");
  }
  return { ...config, local, imageAllow: imageAllow(config, local) };
}

function readValues(env: Readonly<Record<string, string | undefined>>): Values {
  const values: Record<string, unknown> = {};
  for (const [name, variable] of Object.entries(VARIABLES) as [string, Variable][]) {
    const chosen = textOf(name, variable, env) ?? variable.default;
    if (chosen === null) continue;
    const parsed = variable.schema.safeParse(chosen);
    if (!parsed.success) {
      const shown = variable.secret ? "(secret)" : JSON.stringify(chosen);
      throw new ConfigError(`${name} is ${shown}, but it ${parsed.error.issues[0]?.message}.`);
    }
    values[name] = parsed.data;
  }
  return values as Values;
}

function textOf(
  name: string,
  variable: Variable,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const text = env[name] || undefined;
  return text ?? (variable.secret ? secretFromFile(name, env[`${name}_FILE`] || undefined) : undefined);
}

/** Beyond loopback: who can make containers here owns the machine, so nobody comes in unasked or is overheard. */
function checkExposed(config: Values): void {
  const address = config.GRPC_SERVER_ADDR;
  if (config.SCALER_TOKEN === undefined && config.TLS_CLIENT_CA === undefined) {
    throw new ConfigError(
      `${address} can be reached from other machines: set SCALER_TOKEN, or TLS_CLIENT_CA for client certificates.`,
    );
  }
  if (config.TLS_CERT === undefined && !config.SCALER_PLAINTEXT) {
    throw new ConfigError(
      `${address} can be reached from other machines: set TLS_CERT and TLS_KEY, or SCALER_PLAINTEXT=true where the network itself is private.`,
    );
  }
}

function imageAllow(config: Values, local: boolean): readonly string[] {
  if (config.IMAGE_ALLOW !== undefined) {
    return config.IMAGE_ALLOW.split(",")
      .map((pattern) => pattern.trim())
      .filter((pattern) => pattern !== "");
  }
  if (local) return ["**"];
  return config.DEFAULT_DOCKER_IMAGE === "" ? [] : [config.DEFAULT_DOCKER_IMAGE];
}

function secretFromFile(name: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new ConfigError(`${name}_FILE: ${path} can't be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}
