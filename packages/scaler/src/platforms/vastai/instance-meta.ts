import { z } from "zod";
import { type NodeSpec, specDigest } from "../../core/node-spec.ts";
import { withoutQuery } from "../../core/without-query.ts";

/** Name of the environment entry in which an instance carries what its label has no room for. */
export const META_NAME = "GENAI_NODE_META";

/** What a list must show of a node and vast.ai does not keep by itself. */
export const InstanceMeta = z.object({
  backend: z.string(),
  image: z.string(),
  key: z.string(),
  digest: z.string(),
  labels: z.record(z.string(), z.string()),
});
export type InstanceMeta = z.infer<typeof InstanceMeta>;

/** As base64url, which no shell and no flag parser on the way can hurt. */
export function writeMeta(spec: NodeSpec): string {
  const meta: InstanceMeta = {
    backend: withoutQuery(spec.backend),
    image: spec.image,
    key: spec.idempotencyKey,
    digest: specDigest(spec),
    labels: spec.labels,
  };
  return Buffer.from(JSON.stringify(meta)).toString("base64url");
}

/** null when the instance carries none. `extraEnv` comes as an object, as pairs, or as text with docker's flags. */
export function readMeta(extraEnv: unknown): InstanceMeta | null {
  const encoded = new RegExp(`${META_NAME}["', =:]+([A-Za-z0-9_-]+)`).exec(JSON.stringify(extraEnv ?? ""))?.[1];
  if (encoded === undefined) return null;
  try {
    return InstanceMeta.parse(JSON.parse(Buffer.from(encoded, "base64url").toString("utf8")));
  } catch {
    return null;
  }
}
