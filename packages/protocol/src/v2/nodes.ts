import { z } from "zod";
import { Instant } from "./task-state.ts";

/** A connected node, as its capabilities say and as the dispatcher sees it. */
export const V2Node = z
  .object({
    id: z.string(),
    state: z.enum(["idle", "busy", "draining", "resting", "silent", "starting", "offline"]).meta({
      description:
        "`resting`: after faults in a row. `silent`: connected, but not heard of. `starting`: its engine is not up.",
    }),
    engine: z.string().nullable().meta({ description: "Null for a node that does not say." }),
    pipelines: z.array(z.enum(["standard", "comfy"])),
    models: z.array(z.string()).meta({ description: "Empty: it offers all." }),
    warmModel: z.string().nullable(),
    gpuType: z.string().nullable(),
    vramBytes: z.number().nullable(),
    imageInput: z.boolean(),
    slots: z.int(),
    running: z.int(),
    cost: z.number().meta({ description: "Credits for a task." }),
    legacy: z.boolean().meta({ description: "Speaks v1 only." }),
    restsForMs: z.int().nullable(),
    pictureMs: z.int().min(0).nullable().meta({
      description: "What a picture of 512 × 512 pixels and 20 steps is expected to take; null where it makes none.",
    }),
    connectedAt: Instant.nullable(),
    counts: z
      .object({
        succeeded: z.int().min(0),
        failed: z.int().min(0),
        rejected: z.int().min(0),
        other: z.int().min(0).meta({ description: "Aborted, or lost with the node." }),
      })
      .nullable()
      .meta({ description: "How its attempts ended since the server started. Null but for administrators." }),
    address: z.string().nullable().meta({ description: "Where it connects from. Null but for administrators." }),
    protocol: z
      .union([z.literal(1), z.literal(2)])
      .nullable()
      .meta({ description: "Null but for administrators." }),
  })
  .meta({ id: "Node" });
export type V2Node = z.infer<typeof V2Node>;

/** A model and where it is. */
export const V2Model = z
  .object({
    name: z.string(),
    nodes: z.int().min(1).meta({ description: "Online nodes that offer it." }),
    warmOn: z.array(z.string()).meta({ description: "Nodes that have it in memory." }),
  })
  .meta({ id: "Model" });
export type V2Model = z.infer<typeof V2Model>;
