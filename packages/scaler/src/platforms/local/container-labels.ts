import type { NodeSpec } from "../../core/node-spec.ts";
import { specDigest } from "../../core/node-spec.ts";
import { withoutQuery } from "../../core/without-query.ts";

/** Labels by which the engine remembers for us. `genai.cluster` makes a container ours; without it we never touch one. */
export const CONTAINER_LABELS = {
  cluster: "genai.cluster",
  backend: "genai.backend",
  image: "genai.image",
  key: "genai.idempotency-key",
  digest: "genai.digest",
  gpus: "genai.gpus",
  /** Prefix of the caller's own. */
  user: "genai.user.",
} as const;

/** Label of our own node image, set in its Dockerfile: an image that has it runs with everything dropped. */
export const OWN_IMAGE_LABEL = "org.genai.node";

export function labelsOf(spec: NodeSpec, clusterId: string): Record<string, string> {
  const own = Object.entries(spec.labels).map(([name, value]) => [`${CONTAINER_LABELS.user}${name}`, value]);
  return {
    [CONTAINER_LABELS.cluster]: clusterId,
    [CONTAINER_LABELS.backend]: withoutQuery(spec.backend),
    [CONTAINER_LABELS.image]: spec.image,
    [CONTAINER_LABELS.key]: spec.idempotencyKey,
    [CONTAINER_LABELS.digest]: specDigest(spec),
    [CONTAINER_LABELS.gpus]: String(spec.resources.gpus),
    ...Object.fromEntries(own),
  };
}

export function userLabelsOf(labels: Readonly<Record<string, string>>): Record<string, string> {
  const { user } = CONTAINER_LABELS;
  const own = Object.entries(labels).filter(([name]) => name.startsWith(user));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(user.length), value]));
}
