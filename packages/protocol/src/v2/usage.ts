import { z } from "zod";

/** What the caller has used. */
export const V2Usage = z
  .object({
    userId: z.string(),
    tasks: z
      .object({
        queued: z.int(),
        running: z.int(),
        succeeded: z.int(),
        failed: z.int(),
        canceled: z.int(),
      })
      .meta({ description: "Stored tasks by state." }),
    gpuMs: z.number().meta({ description: "GPU time of all attempts." }),
    cost: z.number().meta({ description: "Credits of the attempts whose results were accepted." }),
  })
  .meta({ id: "Usage" });
export type V2Usage = z.infer<typeof V2Usage>;
