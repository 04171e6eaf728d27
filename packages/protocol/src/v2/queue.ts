import { z } from "zod";

const Depth = {
  waiting: z.int().min(0).meta({ description: "Tasks." }),
  running: z.int().min(0),
  gpuMs: z.number().min(0).meta({
    description:
      "GPU time that the waiting ones will take, by what such work took before; of those that no server has looked at yet, by the mean of the others.",
  }),
  oldestMs: z.int().min(0).meta({ description: "Age of the task that has waited longest; 0 where none waits." }),
};

export const V2QueueClass = z
  .object({
    pipeline: z.enum(["standard", "comfy"]),
    engine: z.string().nullable(),
    models: z.array(z.string()),
    gpuType: z.string().nullable(),
    vramBytesMin: z.number().nullable(),
    imageInput: z.enum(["none", "wish", "required"]),
    waiting: Depth.waiting,
    gpuMs: Depth.gpuMs,
    nextMs: z.int().min(0).meta({ description: "Age of the task that is next in the order." }),
    fittingSlots: z
      .int()
      .min(0)
      .meta({ description: "Slots of connected nodes that could run it, whatever they do now." }),
    idleSlots: z.int().min(0),
  })
  .meta({ id: "QueueClass", description: "Waiting tasks that ask the same of a node." });
export type V2QueueClass = z.infer<typeof V2QueueClass>;

const QueueUser = z.object({ userId: z.string(), ...Depth }).meta({ id: "QueueUser" });

/** What waits, and what there is to serve it. */
export const V2Queue = z
  .object({
    waiting: Depth.waiting,
    gpuMs: Depth.gpuMs,
    slots: z.int().min(0).meta({ description: "Of all connected nodes." }),
    idleSlots: z.int().min(0),
    own: z.object(Depth).meta({ description: "The caller's own." }),
    classes: z.array(V2QueueClass).nullable().meta({ description: "Most waiting first. Null but for administrators." }),
    users: z
      .array(QueueUser)
      .nullable()
      .meta({ description: "The 100 users with most waiting tasks. Null but for administrators." }),
  })
  .meta({ id: "Queue" });
export type V2Queue = z.infer<typeof V2Queue>;
