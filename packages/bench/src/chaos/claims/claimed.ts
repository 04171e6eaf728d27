import { z } from "zod";

/** What a process of claimers found, sent to its parent. */
export const Claimed = z.object({
  taskIds: z.array(z.string()),
  /** Claims that gave more tasks than they asked for. */
  over: z.number(),
  latenciesMs: z.array(z.number()),
});
export type Claimed = z.infer<typeof Claimed>;
