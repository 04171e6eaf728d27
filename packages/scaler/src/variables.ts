import { z } from "zod";

/** One environment variable: how it is read, what holds without it, and a line for people. */
export interface Variable<Schema extends z.ZodType = z.ZodType, Default extends string | null = string | null> {
  /** What is wrong with a value is said as the end of a sentence: "must be true or false". */
  readonly schema: Schema;
  /** As it would be written in the environment; null where there is none. */
  readonly default: Default;
  readonly unit: string;
  readonly line: string;
  /** Its value is never printed, and is also read from the file that `<NAME>_FILE` names. */
  readonly secret?: true;
}

const variable = <Schema extends z.ZodType, Default extends string | null>(
  schema: Schema,
  defaultValue: Default,
  unit: string,
  line: string,
): Variable<Schema, Default> => ({ schema, default: defaultValue, unit, line });

const secret = <Schema extends z.ZodType>(schema: Schema, line: string): Variable<Schema, null> => ({
  ...variable(schema, null, "text", line),
  secret: true,
});

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** `30`, `30s`, `15m`, `1h`, `7d` as milliseconds. */
const duration = z
  .string()
  .regex(/^\d+(?:\.\d+)?(?:ms|s|m|h|d)?$/, "must be a duration such as 30s, 15m, 1h or 7d")
  .transform((text) => Number.parseFloat(text) * (UNIT_MS[/[a-z]+$/.exec(text)?.[0] ?? "s"] ?? 1_000));

const flag = z
  .enum(["true", "false", "1", "0"], "must be true or false")
  .transform((text) => text === "true" || text === "1");

const count = z
  .string()
  .regex(/^\d{1,15}$/, "must be a whole number from 0")
  .transform(Number);

const price = z
  .string()
  .regex(/^\d{1,15}(?:\.\d+)?$/, "must be a number from 0")
  .transform(Number);

/** Every environment variable of the scaler, in the order of docs/scaler.md. */
export const VARIABLES = {
  GRPC_SERVER_ADDR: variable(
    z.string().regex(/^(?:unix:.+|.+:\d+)$/, "must be host:port or unix:/path"),
    "127.0.0.1:51075",
    "address",
    "Where it listens: `host:port`, or `unix:/path`.",
  ),
  SCALER_TOKEN: secret(
    z.string().min(16, "must have 16 characters or more"),
    "Token required for every call, at least 16 characters; mandatory beyond loopback unless `TLS_CLIENT_CA` is set.",
  ),
  TLS_CERT: variable(
    z.string(),
    null,
    "file",
    "PEM file of the certificate; with it and `TLS_KEY`, calls are encrypted.",
  ),
  TLS_KEY: variable(z.string(), null, "file", "PEM file of the certificate's key."),
  TLS_CLIENT_CA: variable(
    z.string(),
    null,
    "file",
    "PEM file of an authority; only clients with a certificate from it are accepted.",
  ),
  SCALER_PLAINTEXT: variable(
    flag,
    "false",
    "true/false",
    "Allow calls without TLS beyond loopback, for private networks.",
  ),
  CLUSTER_ID: variable(
    z.string().regex(/^[a-z0-9]{1,32}$/, "must be 1 to 32 of a-z and 0-9"),
    "default",
    "text",
    "Name of the cluster, 1 to 32 of a-z and 0-9. Scalers of one cluster share its nodes.",
  ),
  DEFAULT_DOCKER_IMAGE: variable(z.string(), "", "image", "Image for nodes that name none."),
  DEFAULT_PROV_SCRIPT: variable(z.string(), "", "text", "`PROVISIONING_SCRIPT` for nodes that name none."),
  NODE_TOKEN: secret(z.string(), "Join token given to nodes."),
  IMAGE_ALLOW: variable(
    z.string(),
    null,
    "patterns",
    "Images that may run, comma-separated: `*` matches any characters except `/`, `**` any characters; a pattern without a tag allows every tag. Default: any on loopback, else the default image alone.",
  ),
  MAX_NODES: variable(count, "100", "nodes", "Maximum number of live nodes, in total."),
  MAX_PRICE_PER_HOUR: variable(price, "10", "dollars", "Maximum total price of all nodes per hour."),
  LOCAL_MAX_NODES: variable(
    count,
    null,
    "nodes",
    "Maximum number of live containers. Default: `MAX_NODES` alone counts.",
  ),
  VASTAI_MAX_NODES: variable(
    count,
    null,
    "nodes",
    "Maximum number of live machines from vast.ai. Default: `MAX_NODES` alone counts.",
  ),
  VASTAI_MAX_PRICE_PER_HOUR: variable(
    price,
    null,
    "dollars",
    "Maximum total price of machines from vast.ai per hour. Default: `MAX_PRICE_PER_HOUR` alone counts.",
  ),
  LOCAL_NETWORK: variable(z.string(), "bridge", "network", "Docker network for nodes that name none."),
  STOP_GRACE: variable(duration, "60s", "duration", "Time a node has to drain."),
  KEEP_STOPPED: variable(
    duration,
    "1h",
    "duration",
    "How long a stopped container is kept for its logs, and an instance that has ended or whose machine is offline.",
  ),
  CREATE_TIMEOUT: variable(duration, "30m", "duration", "Longest a creation may take, including the image pull."),
  VASTAI_API_KEY: secret(z.string(), "Enables the platform `vastai`."),
  VASTAI_URL: variable(
    z.url({ protocol: /^https?$/, error: "must be an http:// or https:// URL" }),
    "https://console.vast.ai",
    "URL",
    "Base URL of vast.ai's API.",
  ),
  VASTAI_START_TIMEOUT: variable(duration, "10m", "duration", "Longest time from renting to running."),
  LOG_LEVEL: variable(
    z.enum(LEVELS, `must be one of ${LEVELS.join(", ")}`),
    "info",
    "level",
    "trace, debug, info, warn, error, fatal or silent.",
  ),
} as const satisfies Record<string, Variable>;
