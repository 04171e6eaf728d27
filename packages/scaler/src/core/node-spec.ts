import { createHash, randomUUID } from "node:crypto";
import { z } from "zod";
import { ScalerError } from "./scaler-error.ts";

/** Limits of a node; null: the platform's default. */
const Resources = z.object({
  memoryBytes: z
    .number()
    .int()
    .min(64 * 1024 ** 2)
    .max(2 ** 50)
    .nullable(),
  cpus: z.number().min(0.01).max(1024).nullable(),
  /** Number of GPUs, -1 for all, 0 for none. */
  gpus: z.number().int().min(-1).max(64),
  pidsMax: z.number().int().min(16).max(1_000_000).nullable(),
  diskBytes: z
    .number()
    .int()
    .min(0)
    .max(2 ** 50)
    .nullable(),
});
export type Resources = z.infer<typeof Resources>;

/** What an offer must have; null: no wish. */
const OfferFilter = z.object({
  gpuType: z.string().max(100).nullable(),
  vramBytesMin: z
    .number()
    .int()
    .min(0)
    .max(2 ** 50)
    .nullable(),
  pricePerHourMax: z.number().min(0).nullable(),
  reliabilityMin: z.number().min(0).max(1).nullable(),
  gpusMin: z.number().int().min(1).max(64).nullable(),
});
export type OfferFilter = z.infer<typeof OfferFilter>;

/** Names that the scaler itself sets; the rest of a node's environment is the caller's. */
const RESERVED_ENV_NAMES = ["BACKEND_SERVER", "PROVISIONING_SCRIPT", "NODE_TOKEN"] as const;

const text = (charactersMax: number) =>
  z
    .string()
    .max(charactersMax)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a NUL ends an environment entry early, which is why it is refused
    .regex(/^[^\u0000]*$/, "has a NUL character");

const EnvName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "is no name of an environment variable");

const ENV_BYTES_MAX = 32 * 1024;

const Backend = z
  .string()
  .min(1, "is empty; give the WebSocket URL of the server, like wss://gpu.example.org")
  .max(2048)
  .refine(isWebSocketUrl, "is no ws:// or wss:// URL");

/** Docker's grammar of image references, without its length rules. */
const Image = z
  .string()
  .min(1, "is empty; name one, or start the scaler with DEFAULT_DOCKER_IMAGE")
  .max(512)
  .regex(
    /^[a-z0-9]+(?:[._:/-][a-zA-Z0-9._-]+|__[a-z0-9]+)*(?:@sha256:[0-9a-f]{64})?$/,
    "is no image name like registry.example.org/team/node:1.2",
  );

/** A node to be made: a checked CreateNodeRequest, with the defaults filled in. */
export const NodeSpec = z.object({
  platform: z.string().min(1).max(32),
  backend: Backend,
  image: Image,
  provScript: text(16 * 1024),
  /** vast.ai offer number, or null for the cheapest that fits. */
  offerId: z
    .string()
    .regex(/^[1-9][0-9]{0,18}$/, "is no offer number")
    .nullable(),
  env: z
    .record(EnvName, text(8 * 1024))
    .refine((env) => Object.keys(env).length <= 64, "has more than 64 names")
    .refine(
      (env) => Object.entries(env).reduce((sum, [name, value]) => sum + name.length + value.length, 0) <= ENV_BYTES_MAX,
      "is larger than 32 KiB",
    )
    .refine(
      (env) => RESERVED_ENV_NAMES.every((name) => !(name in env)),
      `sets one of ${RESERVED_ENV_NAMES.join(", ")}, which have fields of their own`,
    ),
  labels: z
    .record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/, "is no label name"), text(256))
    .refine((labels) => Object.keys(labels).length <= 32, "has more than 32 names"),
  /** null: the node gets none. */
  nodeToken: text(4096).nullable(),
  idempotencyKey: text(255),
  resources: Resources,
  filter: OfferFilter,
  args: z.array(text(1024)).max(64),
  /** Docker network; null: the platform's default. */
  network: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, "is no network name")
    .refine((name) => name !== "host", "must not be the host's own network")
    .nullable(),
});
export type NodeSpec = z.infer<typeof NodeSpec>;

/** Throws `invalid` with one sentence that names the first wrong field. */
export function parseNodeSpec(input: unknown): NodeSpec {
  const parsed = NodeSpec.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new ScalerError("invalid", `${issue?.path.join(".") || "The request"} ${issue?.message ?? "is wrong"}.`);
}

/** The node's name on its platform, from the cluster and the idempotency key, random without a key.
 *  The same key gives the same name on every scaler and after every restart. */
export function nodeName(clusterId: string, idempotencyKey: string): string {
  const seed = idempotencyKey === "" ? randomUUID() : idempotencyKey;
  return `genai-${clusterId}-${createHash("sha256").update(`${clusterId}\n${seed}`).digest("hex").slice(0, 24)}`;
}

/** Tells whether two requests with one idempotency key ask for the same node: a SHA-256 that does not give the token away by itself. */
export function specDigest(spec: NodeSpec): string {
  const sorted = (record: Readonly<Record<string, string>>) =>
    Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = [spec, sorted(spec.env), sorted(spec.labels)];
  return createHash("sha256")
    .update(JSON.stringify(parts, (name, value) => (name === "env" || name === "labels" ? undefined : value)))
    .digest("hex")
    .slice(0, 32);
}

function isWebSocketUrl(value: string): boolean {
  return URL.canParse(value) && ["ws:", "wss:"].includes(new URL(value).protocol) && new URL(value).hostname !== "";
}
