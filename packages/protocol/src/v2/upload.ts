import { z } from "zod";

/** SHA-256 in lower-case hex. */
export const Sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in lower-case hex")
  .meta({ example: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" });

/** An input image that was brought before the task that needs it. */
export const V2Upload = z
  .object({
    id: Sha256.meta({ description: "SHA-256 of the bytes; `image.uploadId` of a task." }),
    bytes: z.int().min(1),
    mime: z.string(),
  })
  .meta({ id: "Upload" });
export type V2Upload = z.infer<typeof V2Upload>;
