import { z } from "zod";
import { listenHost, proxies, reachableHosts } from "./network-values.ts";
import {
  baseHttpUrl,
  credits,
  duration,
  flag,
  httpUrl,
  integer,
  list,
  oneOf,
  ratePerMinute,
  size,
  sizeOrOff,
} from "./values.ts";

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
  HTTP_PORT: variable(port, "8080", "port", "Port for HTTP and for the nodes' WebSocket; 0 picks a free one."),
  HOST: variable(
    listenHost(),
    null,
    "address",
    "Address to listen on. Default: both loopback addresses, 127.0.0.1 and ::1. `0.0.0.0` listens on every network.",
  ),
  PUBLIC_URL: variable(
    baseHttpUrl(),
    null,
    "URL",
    "How clients and nodes reach this server: the base of the URLs that it hands out, also of those that nodes upload their pictures to. Default: the address of the request.",
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
      "PostgreSQL, such as `postgres://user:password@host/database`. Default: SQLite in GENAI_HOME.",
    ),
    hidden: true,
  },
  ENFORCE_JWT_AUTH: variable(
    flag(),
    "true",
    "true/false",
    "Callers need a valid token; with `false` a token only identifies its caller.",
  ),
  JWT_SECRET: secret(
    z.string(),
    "Secret of the callers' HS256 tokens; several, separated by commas, during a rotation. Default: generated at the first start.",
  ),
  JWT_REQUIRE_EXP: variable(flag(), "false", "true/false", "Reject tokens that never expire."),
  JWT_ALLOW_SHORT_SECRET: variable(
    flag(),
    "false",
    "true/false",
    "Accept a JWT secret under 32 bytes when listening beyond loopback.",
  ),
  JWT_AUDIENCE: variable(list(), null, "list", "Accepted `aud` values of tokens. Default: any."),
  JWT_ISSUER: variable(z.string().min(1), null, "text", "Accepted `iss` of tokens. Default: any."),
  JWKS_URL: variable(httpUrl(), null, "URL", "URL of the public keys of RS256, ES256 and EdDSA tokens."),
  SUPABASE_URL: variable(httpUrl(), null, "URL", "A Supabase project; sets the issuer and the JWKS URL."),
  SUPABASE_KEY: secret(z.string(), "Not used; the server warns when it is set."),
  USE_SUPABASE: variable(flag(), "false", "true/false", "Keep tasks in Supabase's PostgreSQL; requires DATABASE_URL."),
  NODE_TOKEN: secret(
    z.string().min(1),
    "Join token shared by all nodes. Without it any node may join, but only over loopback and not through a proxy.",
  ),
  NODES_WITHOUT_TOKEN: variable(
    flag(),
    "false",
    "true/false",
    "Let nodes join without a token from other machines, too.",
  ),
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
    "Model of v1 tasks that name none; empty leaves the choice to the node.",
  ),
  LEGACY_NODE_COST: variable(
    credits(),
    "0",
    "credits",
    "Price of a task on a legacy (v1) node, which cannot name one.",
  ),
  LEGACY_NODE_SLOTS: variable(
    integer({ min: 1, max: 64 }),
    "1",
    "tasks",
    "Tasks that each legacy (v1) node gets at once. Such a node starts everything it gets, so raise this only for nodes that can take it.",
  ),
  V1_DATA_URLS: variable(
    flag(),
    "false",
    "true/false",
    "Return pictures to v1 callers as data URLs, as the original server did.",
  ),
  RATE_LIMIT: variable(ratePerMinute(), "600", "per minute", "Tasks that each user may create per minute, or `off`."),
  READ_RATE_LIMIT: variable(
    ratePerMinute(),
    "60000",
    "per minute",
    "Other requests that each user may make per minute, or `off`.",
  ),
  ADDRESS_RATE_LIMIT: variable(
    ratePerMinute(),
    "6000",
    "per minute",
    "Task creations and rejected tokens per network address and minute, whichever user they belong to, and 100 times as many reads; or `off`. This machine is exempt.",
  ),
  MAX_CONNECTIONS: variable(integer({ min: 10, max: 1_000_000 }), "30000", "connections", "Open connections in total."),
  MAX_CONNECTIONS_PER_ADDRESS: variable(
    integer({ min: 1, max: 1_000_000 }),
    "1000",
    "connections",
    "Open connections per address; this machine and the proxies in TRUST_PROXY are exempt.",
  ),
  QUEUED_TASKS_MAX: variable(integer({ min: 1, max: 100_000_000 }), "10000", "tasks", "Waiting tasks per user."),
  RUNNING_TASKS_MAX: variable(
    integer({ min: 1, max: 1_000_000 }),
    null,
    "tasks",
    "Running tasks per user. Default: unlimited.",
  ),
  MAX_BODY_BYTES: variable(
    size({ min: 1_024, max: 1_073_741_824 }),
    "32MB",
    "bytes",
    "Largest request body; a larger one is answered with 413.",
  ),
  MAX_FRAME_BYTES: variable(
    size({ min: 65_536, max: 1_073_741_824 }),
    "64MiB",
    "bytes",
    "Largest WebSocket frame of a legacy node; a larger one closes its connection with 1009.",
  ),
  MAX_ARTIFACT_BYTES: variable(size({ min: 1_024, max: 17_179_869_184 }), "256MiB", "bytes", "Largest picture."),
  // Ten seconds of frames at 24 a second, rounded up.
  MAX_GRAPH_PICTURES: variable(
    integer({ min: 1, max: 1_000 }),
    "256",
    "pictures",
    "Most pictures that one attempt at a ComfyUI graph may produce; a standard task may produce as many as it asked for.",
  ),
  MAX_ATTEMPT_BYTES: variable(
    size({ min: 1_024, max: 17_179_869_184 }),
    "1GiB",
    "bytes",
    "Total size of the pictures of one attempt.",
  ),
  MAX_UPLOAD_BYTES_PER_USER: variable(
    sizeOrOff({ min: 1_048_576, max: 1_099_511_627_776 }),
    "10GiB",
    "bytes",
    "Total size of the input images that one user may have stored, each counting at least 64 KiB; `off` for no limit.",
  ),
  MAX_INPUT_BYTES_PER_USER: variable(
    sizeOrOff({ min: 1_048_576, max: 1_099_511_627_776 }),
    "10GiB",
    "bytes",
    "Total size of the inputs over 64 KiB (graphs, pictures) of one user's tasks, including ended ones until INPUT_TTL; `off` for no limit.",
  ),
  MAX_PROMPT_CHARS: variable(integer({ min: 1, max: 100_000 }), "10000", "characters", "Longest prompt on /v2."),
  LEASE: variable(
    duration({ minMs: 1_000, maxMs: 600_000 }),
    "30",
    "seconds",
    "How long a node may be silent before its attempts are given up.",
  ),
  WARM_TURNS_MAX: variable(
    integer({ min: 0, max: 1_000 }),
    "8",
    "tasks",
    "How many tasks whose model is already in memory may overtake another user's task whose model is not, while the two users are within one task of each other; 0 for strict turns.",
  ),
  ATTEMPT_TIMEOUT: variable(
    duration({ minMs: 1_000, maxMs: 7 * DAY_MS }),
    "1h",
    "seconds",
    "Longest that one attempt at a ComfyUI graph may take.",
  ),
  TASK_TTL: variable(
    duration({ minMs: MINUTE_MS, maxMs: 3_650 * DAY_MS }),
    "30d",
    "seconds",
    "How long ended tasks are kept, and how long a task without a deadline may wait.",
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
    "How long an ended task keeps an input of over 64 KiB, so that it can be retried.",
  ),
  ARTIFACT_STORE: variable(
    z.string().min(1),
    null,
    "URL",
    "`s3://bucket/prefix` keeps pictures in S3 (credentials come from the AWS environment). Default: a folder in GENAI_HOME.",
  ),
  S3_ENDPOINT: variable(httpUrl(), null, "URL", "Endpoint of an S3-compatible store."),
  S3_REGION: variable(z.string().min(1), "us-east-1", "text", "Region of the S3 bucket."),
  S3_PATH_STYLE: variable(flag(), "false", "true/false", "Address buckets by path instead of by host name."),
  S3_PRESIGN: variable(
    flag(),
    "true",
    "true/false",
    "Send clients and nodes directly to S3 by presigned URLs; with `false` every byte passes through the server.",
  ),
  TRUST_PROXY: variable(
    proxies(),
    null,
    "list",
    "Addresses or ranges of the reverse proxies whose X-Forwarded-For is trusted. Default: none.",
  ),
  EGRESS_ALLOW: variable(
    reachableHosts(),
    null,
    "list",
    "Hosts, addresses or ranges that webhooks may reach in addition to the public internet.",
  ),
  WEBHOOK_SECRET: secret(
    z.string().min(32, "must have 32 characters or more"),
    "Key from which the users' webhook secrets are derived, at least 32 characters; the same for all servers of a database. Default: generated at the first start.",
  ),
  METRICS_TOKEN: secret(
    z.string().min(1),
    "Bearer token for /metrics. Without it /metrics answers administrators, and anyone over loopback.",
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: variable(
    httpUrl(),
    null,
    "URL",
    "Trace collector (OTLP over HTTP, as JSON). Without it nothing is traced; the other `OTEL_*` variables apply, too.",
  ),
  LOG_LEVEL: variable(
    oneOf("fatal", "error", "warn", "info", "debug", "trace", "silent"),
    "info",
    "level",
    "fatal, error, warn, info, debug, trace or silent.",
  ),
  DEBUG: variable(z.string(), null, "any", "Any value but `false` or `0` raises the log level to debug."),
  TRACE_FILE: variable(
    z.string().min(1),
    null,
    "file",
    "Record every input and result of the dispatcher as JSON lines, for replay in the simulator.",
  ),
} as const satisfies Record<string, Variable>;
