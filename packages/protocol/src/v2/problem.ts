import { z } from "zod";
import { PROBLEMS, type ProblemCode } from "./problem-codes.ts";

/** An RFC 9457 problem document: the body of every refusal outside of v1, as `application/problem+json`. */
export const Problem = z
  .object({
    type: z.string().meta({ description: "Where the code is explained, relative to the server." }),
    title: z.string().meta({ description: "The code's sentence." }),
    status: z.int().min(400).max(599),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    detail: z.string().meta({ description: "What was wrong in this case." }),
    requestId: z.string(),
    errors: z
      .array(z.object({ field: z.string(), message: z.string() }))
      .optional()
      .meta({ description: "The fields that are wrong, by their dotted paths." }),
    taskId: z.string().optional(),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof Problem>;
