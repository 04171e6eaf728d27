import { readFileSync } from "node:fs";
import { z } from "zod";
import { isLocalAddress } from "./grpc/listen-address.ts";

/** `30`, `30s`, `15m`, `1h`, `7d` as milliseconds. */
const duration = z
  .string()
  .regex(/^\d+(?:\.\d+)?(?:ms|s|m|h|d)?$/, "is no duration like 30s, 15m, 1h or 7d")
  .transform((value) => {
    const unit = /[a-z]+$/.exec(value)?.[0] ?? "s";
    const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit] ?? 1000;
    return Number.parseFloat(value) * unitMs;
  });

const flag = z
  .enum(["true", "false", "1", "0"], "is neither true nor false")
  .transform((value) => value === "true" || value === "1");
const count = z.coerce.number("is no number").int().min(0);
const price = z.coerce.number("is no number").min(0);

/** The environment of the scaler. docs/scaler.md describes each name. */
const Environment = z.object({
  GRPC_SERVER_ADDR: z
    .string()
    .regex(/^(?:unix:.+|.+:\d+)$/, "is no host:port and no unix:/path")
    .default("127.0.0.1:51075"),
  SCALER_TOKEN: z.string().min(16, "is shorter than 16 characters").optional(),
  TLS_CERT: z.string().optional(),
  TLS_KEY: z.string().optional(),
  TLS_CLIENT_CA: z.string().optional(),
  SCALER_PLAINTEXT: flag.default(false),
  CLUSTER_ID: z
    .string()
    .regex(/^[a-z0-9]{1,32}$/, "is not 1 to 32 of a-z and 0-9")
    .default("default"),
  DEFAULT_DOCKER_IMAGE: z.string().default(""),
  DEFAULT_PROV_SCRIPT: z.string().default(""),
  NODE_TOKEN: z.string().optional(),
  IMAGE_ALLOW: z.string().optional(),
  MAX_NODES: count.default(100),
  MAX_PRICE_PER_HOUR: price.default(10),
  LOCAL_MAX_NODES: count.optional(),
  VASTAI_MAX_NODES: count.optional(),
  VASTAI_MAX_PRICE_PER_HOUR: price.optional(),
  LOCAL_NETWORK: z.string().default("bridge"),
  STOP_GRACE: duration.default(60_000),
  KEEP_STOPPED: duration.default(3_600_000),
  CREATE_TIMEOUT: duration.default(30 * 60_000),
  VASTAI_API_KEY: z.string().optional(),
  VASTAI_URL: z.url().default("https://console.vast.ai"),
  VASTAI_START_TIMEOUT: duration.default(10 * 60_000),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
});

export type ScalerConfig = z.infer<typeof Environment> & {
  /** Patterns of images that may run. */
  readonly imageAllow: readonly string[];
  /** Whether the address can be reached from this machine alone. */
  readonly local: boolean;
};

/** Every name that is read, beside `<NAME>_FILE` of the secrets. */
export const ENVIRONMENT_NAMES: readonly string[] = Object.keys(Environment.shape);

const SECRET_NAMES = ["SCALER_TOKEN", "NODE_TOKEN", "VASTAI_API_KEY"] as const;

/** Why the scaler will not start; one sentence for a person. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Reads and checks the environment; a secret can stand in a file named by `NAME_FILE`. An empty value counts as none.
 *  Throws {@link ConfigError}. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): ScalerConfig {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
  for (const name of SECRET_NAMES) given[name] ??= secretFromFile(name, given[`${name}_FILE`]);
  const parsed = Environment.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ConfigError(`${issue?.path.join(".")} ${issue?.message}.`);
  }
  const config = parsed.data;
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

/** Beyond loopback: who can make containers here owns the machine, so nobody comes in unasked or is overheard. */
function checkExposed(config: z.infer<typeof Environment>): void {
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

function imageAllow(config: z.infer<typeof Environment>, local: boolean): readonly string[] {
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
