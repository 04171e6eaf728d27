import { z } from "zod";

/** One entry of `/models/available` and `/models/loaded`. */
export const VoltaModels = z.array(
  z.looseObject({
    name: z.string(),
    backend: z.string().default("PyTorch"),
    type: z.string().default("SD1.x"),
    valid: z.boolean().default(true),
  }),
);
export type VoltaModel = z.infer<typeof VoltaModels>[number];

/** What the event socket says of a run, to everybody who listens. */
export const VoltaProgress = z.object({
  type: z.enum(["txt2img", "img2img"]),
  data: z.looseObject({ progress: z.number(), image: z.string().nullish() }),
});

const Refusal = z.looseObject({ detail: z.unknown().optional(), message: z.unknown().optional() });

/** What an error says: JSON of two shapes, or plain text. */
export function refusalText(status: number, body: unknown, text: string): string {
  const parsed = Refusal.safeParse(body);
  const word = parsed.success ? (parsed.data.detail ?? parsed.data.message) : null;
  return typeof word === "string" && word !== ""
    ? word.slice(0, 2_000)
    : `VoltaML answered ${status}: ${text.trim().slice(0, 500) || "(nothing)"}`;
}
