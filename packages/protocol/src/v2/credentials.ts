import { z } from "zod";
import { PlainNodeId } from "../ids.ts";
import { Instant } from "./task-state.ts";

const DAY_MS = 86_400_000;
const UserId = z.string().min(1).max(256);

/** What an administrator makes an API key of. */
export const CreateKeyBody = z
  .strictObject({
    name: z.string().min(1).max(100).meta({ description: "For people, in the list." }),
    user: UserId.meta({ description: "Whose tasks it makes and sees.", example: "shop" }),
    role: z.enum(["user", "admin"]).default("user"),
    weight: z
      .number()
      .positive()
      .max(1_000)
      .optional()
      .meta({ description: "The user's share beside others. Default 1." }),
    queuedMax: z.int().min(0).max(100_000_000).optional().meta({ description: "Waiting tasks of the user." }),
    runningMax: z.int().min(1).max(1_000_000).optional().meta({ description: "Running tasks of the user." }),
    expiresAt: z.iso.datetime({ offset: true }).optional().meta({ example: "2035-01-01T00:00:00Z" }),
  })
  .meta({ id: "CreateKey" });
export type CreateKeyBody = z.infer<typeof CreateKeyBody>;

/** An API key without its secret, which is stored nowhere. */
export const V2ApiKey = z
  .object({
    id: z.string(),
    name: z.string(),
    user: z.string(),
    role: z.enum(["user", "admin"]),
    weight: z.number().nullable(),
    queuedMax: z.int().nullable(),
    runningMax: z.int().nullable(),
    createdAt: Instant,
    expiresAt: Instant.nullable(),
    revokedAt: Instant.nullable(),
  })
  .meta({ id: "ApiKey" });
export type V2ApiKey = z.infer<typeof V2ApiKey>;

export const V2NewApiKey = z
  .object({ key: V2ApiKey, secret: z.string().meta({ description: "Told once.", example: "genai_sk_…" }) })
  .meta({ id: "NewApiKey" });

/** What lets nodes fetch keys of their own. */
export const CreateEnrolmentBody = z
  .strictObject({
    nodeId: PlainNodeId.optional().meta({ description: "Good for this node only; without it for any." }),
    uses: z.int().min(1).max(100_000).default(1).meta({ description: "How many nodes it is good for." }),
    validForMs: z
      .int()
      .min(1_000)
      .max(30 * DAY_MS)
      .default(DAY_MS),
  })
  .meta({ id: "CreateEnrolment" });

export const V2NewEnrolment = z
  .object({
    id: z.string(),
    token: z.string().meta({ description: "The node's `--token`. Told once.", example: "genai_ne_…" }),
    uses: z.int(),
    expiresAt: Instant,
  })
  .meta({ id: "NewEnrolment" });

export const EnrolNodeBody = z
  .strictObject({ token: z.string().min(1).max(200), nodeId: PlainNodeId })
  .meta({ id: "EnrolNode" });

export const V2NodeKey = z
  .object({
    nodeId: z.string(),
    key: z.string().meta({ description: "The node's own. Told once.", example: "genai_nk_…" }),
  })
  .meta({ id: "NodeKey" });
