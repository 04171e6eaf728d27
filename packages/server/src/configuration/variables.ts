import { z } from "zod";
import { credits, duration, flag, httpUrl, integer, list, oneOf, ratePerMinute, size, sizeOrOff } from "./values.ts";

/** One environment variable: how it is read, what holds without it, and a line for people. */
export interface Variable<Schema extends z.ZodType = z.ZodType, Default extends string | null = string | null> {
  /** What is wrong with a value is said as the end of a sentence: "must be true or false". */
  readonly schema: Schema;
  /** As it would be written in the environment; null where there is none. */
  readonly default: Default;
  readonly unit: string;
  readonly line: string;
  /** Its value is a secret: never printed, and also read from the file that `<NAME>_FILE` names. */
  readonly secret?: true;
  /** Its value may hold a password: never printed. */
  readonly hidden?: true;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const port = integer({ min: 0, max: 65_535 });

const variable = <Schema extends z.ZodType, Default extends string | null>(
  schema: Schema,
  defaultValue: Default,
  unit: string,
  line: string,
): Variable<Schema, Default> => ({ schema, default: defaultValue, unit, line });

const secret = <Schema extends z.ZodType>(schema: Schema, line: string): Variable<Schema, null> => ({
  schema,
  default: null,
  unit: "text",
  line,
  secret: true,
});

/** Every environment variable of the server, in the order of the README. */
export const VARIABLES = {
  HTTP_PORT: variable(port, "8080", "port", "Port of HTTP and of the nodes' WebSocket; 0 takes a free one."),
  HOST: variable(
    z.string().min(1),
    null,
    "address",
    "Address to listen on. Without it both loopbacks, 127.0.0.1 and ::1; `0.0.0.0` for every network.",
  ),
  PUBLIC_URL: variable(
    httpUrl(),
    null,
    "URL",
    "How clients and nodes reach this server; the base of the URLs that it hands out. Without it the address of the request.",
  ),
  GENAI_HOME: variable(
    z.string().min(1),
    "./.genai",
    "folder",
    "Where the database, the artifacts and the keys are kept.",
  ),
  DATABASE_URL: {
    ...variable(
      z.string().regex(/^postgres(?:ql)?:\/\//, "must begin with postgres:// or postgresql://"),
      null,
      "URL",
      "PostgreSQL, such as `postgres://user:password@host/database`. Without it SQLite in GENAI_HOME.",
    ),
    hidden: true,
  },
  ENFORCE_JWT_AUTH: variable(
    flag(),
    "true",
    "true/false",
    "Callers need a valid token; with `false` the token only names them.",
  ),
  JWT_SECRET: secret(
    z.string(),
    "Secret of the callers' HS256 tokens; several, separated by commas, while one is replaced. Without it the server makes one.",
  ),
  JWT_REQUIRE_EXP: variable(flag(), "false", "true/false", "Refuse tokens that never expire."),
  JWT_ALLOW_SHORT_SECRET: variable(flag(), "false", "true/false", "Accept a secret under 32 bytes beyond loopback."),
  JWT_AUDIENCE: variable(list(), null, "list", "Accepted `aud` of tokens. Without it any."),
  JWT_ISSUER: variable(z.string().min(1), null, "text", "Accepted `iss` of tokens. Without it any."),
  JWKS_URL: variable(httpUrl(), null, "URL", "Public keys of RS256 and ES256 tokens."),
  SUPABASE_URL: variable(httpUrl(), null, "URL", "A Supabase project: sets issuer and JWKS."),
  SUPABASE_KEY: secret(z.string(), "Not used; the server warns when it is set."),
  USE_SUPABASE: variable(flag(), "false", "true/false", "Keep tasks in Supabase's PostgreSQL; wants DATABASE_URL."),
  NODE_TOKEN: secret(
    z.string().min(1),
    "Join token of every node. Without it any node may join, on loopback only and not through a proxy.",
  ),
  NODES_WITHOUT_TOKEN: variable(flag(), "false", "true/false", "Let nodes join without a token beyond loopback too."),
  WS_TASK_TIMEOUT: variable(
    duration({ minMs: 1, maxMs: DAY_MS }),
    "60",
    "seconds",
    "How long the synchronous v1 call waits for its pictures before it answers 504.",
  ),
  DEFAULT_MODEL: variable(
    z.string().max(512, "must have 512 characters at most"),
    "",
    "model",
    "Model of tasks that name none; empty leaves it to the node.",
  ),
  LEGACY_NODE_COST: variable(credits(), "0", "credits", "Price of a task on a node that names none."),
  LEGACY_NODE_SLOTS: variable(
    integer({ min: 1, max: 64 }),
    "1",
    "tasks",
    "Tasks that each node of the old protocol gets at once. It starts all that it gets, so more than one is for nodes that bear it.",
  ),
  V1_DATA_URLS: variable(
    flag(),
    "false",
    "true/false",
    "Give pictures to v1 callers as data URLs, as the original did.",
  ),
  RATE_LIMIT: variable(ratePerMinute(), "600", "per minute", "Tasks that each user may create a minute, or `off`."),
  READ_RATE_LIMIT: variable(ratePerMinute(), "60000", "per minute", "Reads of each user a minute, or `off`."),
  ADDRESS_RATE_LIMIT: variable(
    ratePerMinute(),
    "6000",
    "per minute",
    "Creations and refused tokens of each network address a minute, whoever they are of, and a hundred times as many reads; or `off`. This machine is exempt.",
  ),
  MAX_CONNECTIONS: variable(integer({ min: 10, max: 1_000_000 }), "30000", "connections", "Open connections in all."),
  MAX_CONNECTIONS_PER_ADDRESS: variable(
    integer({ min: 1, max: 1_000_000 }),
    "1000",
    "connections",
    "Open connections of one address; this machine and the proxies of TRUST_PROXY are exempt.",
  ),
  QUEUED_TASKS_MAX: variable(integer({ min: 1, max: 100_000_000 }), "10000", "tasks", "Waiting tasks of each user."),
  RUNNING_TASKS_MAX: variable(
    integer({ min: 1, max: 1_000_000 }),
    null,
    "tasks",
    "Running tasks of each user; without it no cap.",
  ),
  MAX_BODY_BYTES: variable(
    size({ min: 1_024, max: 1_073_741_824 }),
    "32MB",
    "bytes",
    "Largest request body; more is 413.",
  ),
  MAX_FRAME_BYTES: variable(
    size({ min: 65_536, max: 1_073_741_824 }),
    "64MiB",
    "bytes",
    "Largest WebSocket frame of a legacy node; more closes its socket with 1009.",
  ),
  MAX_ARTIFACT_BYTES: variable(size({ min: 1_024, max: 17_179_869_184 }), "256MiB", "bytes", "Largest picture."),
  // Ten seconds of frames at 24 a second, rounded up.
  MAX_GRAPH_PICTURES: variable(
    integer({ min: 1, max: 1_000 }),
    "256",
    "pictures",
    "Most pictures of one attempt at a graph; a standard task gets as many as it asked for.",
  ),
  MAX_ATTEMPT_BYTES: variable(
    size({ min: 1_024, max: 17_179_869_184 }),
    "1GiB",
    "bytes",
    "Most bytes that the pictures of one attempt may have together.",
  ),
  MAX_UPLOAD_BYTES_PER_USER: variable(
    sizeOrOff({ min: 1_048_576, max: 1_099_511_627_776 }),
    "10GiB",
    "bytes",
    "Most bytes of uploaded input images that one user may have stored, each of at least 64 KiB; `off` for no bound.",
  ),
  MAX_INPUT_BYTES_PER_USER: variable(
    sizeOrOff({ min: 1_048_576, max: 1_099_511_627_776 }),
    "10GiB",
    "bytes",
    "Most bytes that the large inputs (graphs and pictures of over 64 KiB) of one user's tasks may take, ended ones too until INPUT_TTL; `off` for no bound.",
  ),
  MAX_PROMPT_CHARS: variable(integer({ min: 1, max: 100_000 }), "10000", "characters", "Longest prompt on /v2."),
  LEASE: variable(
    duration({ minMs: 1_000, maxMs: 600_000 }),
    "30",
    "seconds",
    "How long a node may be silent before its attempt counts as lost for good.",
  ),
  WARM_TURNS_MAX: variable(
    integer({ min: 0, max: 1_000 }),
    "8",
    "tasks",
    "How many tasks whose model is in memory may go before one whose is not, between users within a task of each other; 0 for strict turns.",
  ),
  ATTEMPT_TIMEOUT: variable(
    duration({ minMs: 1_000, maxMs: 7 * DAY_MS }),
    "1h",
    "seconds",
    "Longest attempt of a ComfyUI graph.",
  ),
  TASK_TTL: variable(
    duration({ minMs: MINUTE_MS, maxMs: 3_650 * DAY_MS }),
    "30d",
    "seconds",
    "How long ended tasks are kept, and how long a task without a deadline waits.",
  ),
  ARTIFACT_TTL: variable(
    duration({ minMs: MINUTE_MS, maxMs: 3_650 * DAY_MS }),
    "7d",
    "seconds",
    "How long pictures are kept.",
  ),
  INPUT_TTL: variable(
    duration({ minMs: MINUTE_MS, maxMs: 3_650 * DAY_MS }),
    "1d",
    "seconds",
    "How long an ended task keeps its large input, to be done again.",
  ),
  ARTIFACT_STORE: variable(
    z.string().min(1),
    null,
    "URL",
    "`s3://bucket/prefix` keeps pictures in S3 (credentials from the AWS environment). Without it a folder in GENAI_HOME.",
  ),
  S3_ENDPOINT: variable(httpUrl(), null, "URL", "Endpoint of an S3-compatible store."),
  S3_REGION: variable(z.string().min(1), "us-east-1", "text", "Region of the S3 bucket."),
  S3_PATH_STYLE: variable(flag(), "false", "true/false", "Address buckets by path instead of by host name."),
  S3_PRESIGN: variable(
    flag(),
    "true",
    "true/false",
    "Send clients and nodes to S3 itself by signed URLs; with `false` every byte passes through the server.",
  ),
  TRUST_PROXY: variable(
    list(),
    null,
    "list",
    "Addresses or ranges of the reverse proxies whose X-Forwarded-For is believed; none without it.",
  ),
  EGRESS_ALLOW: variable(
    list(),
    null,
    "list",
    "Hosts, addresses or ranges that webhooks may reach beside the public internet.",
  ),
  WEBHOOK_SECRET: secret(
    z.string().min(32, "must have 32 characters or more"),
    "What the secrets of the users' webhooks are derived from, 32 characters or more; one for all servers of a database. Without it the server makes one.",
  ),
  METRICS_TOKEN: secret(z.string().min(1), "Bearer token of /metrics. Without it /metrics answers on loopback only."),
  OTEL_EXPORTER_OTLP_ENDPOINT: variable(
    httpUrl(),
    null,
    "URL",
    "Collector of traces (OTLP over HTTP, in JSON). Without it nothing is traced; the other `OTEL_*` variables hold beside it.",
  ),
  LOG_LEVEL: variable(
    oneOf("fatal", "error", "warn", "info", "debug", "trace", "silent"),
    "info",
    "level",
    "fatal, error, warn, info, debug, trace or silent.",
  ),
  DEBUG: variable(z.string(), null, "any", "Anything but `false` or `0` raises the log level to debug."),
  TRACE_FILE: variable(
    z.string().min(1),
    null,
    "file",
    "Record every input of the dispatcher and what came of it as JSON lines, to be replayed by the simulator.",
  ),
} as const satisfies Record<string, Variable>;
