import { z } from "zod";

/** One entry of `/sdapi/v1/sd-models`. */
export const CheckpointList = z.array(z.looseObject({ title: z.string(), model_name: z.string().optional() }));

/** `/sdapi/v1/options`, as far as it is needed. */
export const Options = z.looseObject({ sd_model_checkpoint: z.string().nullish() });

/** `/internal/progress`: of one job, by its id. All false: it knows no such job. */
export const JobProgress = z.looseObject({
  active: z.boolean(),
  queued: z.boolean(),
  completed: z.boolean(),
  progress: z.number().nullish(),
  live_preview: z.string().nullish(),
  id_live_preview: z.number().nullish(),
});

/** `/sdapi/v1/progress`: of whatever runs. */
export const GlobalProgress = z.looseObject({
  progress: z.number(),
  state: z.looseObject({ job_count: z.number().default(0), interrupted: z.boolean().default(false) }),
  current_image: z.string().nullish(),
});

/** The `info` of an answer, which is JSON in a text. */
export const Info = z.looseObject({
  seed: z.int().optional(),
  all_seeds: z.array(z.int()).optional(),
  index_of_first_image: z.int().min(0).optional(),
  sd_model_name: z.string().nullish(),
});
export type Info = z.infer<typeof Info>;

const Refusal = z.looseObject({
  error: z.unknown().optional(),
  detail: z.unknown().optional(),
  errors: z.unknown().optional(),
});
const Validation = z.array(z.looseObject({ loc: z.array(z.union([z.string(), z.number()])), msg: z.string() }));

/** What an error says: JSON of several shapes, or plain text. */
export function refusalText(status: number, body: unknown, text: string): string {
  const parsed = Refusal.safeParse(body);
  if (!parsed.success) return `The engine answered ${status}: ${text.trim().slice(0, 500) || "(nothing)"}`;
  const { error, detail, errors } = parsed.data;
  const invalid = Validation.safeParse(detail);
  if (invalid.success) return invalid.data.map(({ loc, msg }) => `${loc.slice(1).join(".")}: ${msg}`).join("\n");
  const words = [error, detail, errors].filter((word): word is string => typeof word === "string" && word !== "");
  return words.length > 0
    ? [...new Set(words)].join(": ").slice(0, 2_000)
    : `The engine answered ${status}: ${text.slice(0, 500)}`;
}
