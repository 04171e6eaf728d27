import { z } from "zod";

/** `/object_info`: node classes by name, with their inputs. */
export const ObjectInfo = z.record(
  z.string(),
  z.looseObject({ input: z.looseObject({ required: z.record(z.string(), z.unknown()).optional() }).optional() }),
);
type ObjectInfo = z.infer<typeof ObjectInfo>;

/** What of it a node needs: the whole is megabytes where many custom nodes are installed. */
export interface ComfyClasses {
  /** Sorted. */
  readonly names: readonly string[];
  readonly checkpoints: readonly string[];
  /** Of all kinds. */
  readonly models: readonly string[];
}

/** Nodes that load a model, and the input that names it. */
const LOADERS = [
  ["CheckpointLoaderSimple", "ckpt_name"],
  ["UNETLoader", "unet_name"],
  ["LoraLoader", "lora_name"],
  ["VAELoader", "vae_name"],
  ["ControlNetLoader", "control_net_name"],
] as const;

export function comfyClasses(info: ObjectInfo): ComfyClasses {
  return {
    names: Object.keys(info).sort(),
    checkpoints: choicesOf(info, "CheckpointLoaderSimple", "ckpt_name"),
    models: LOADERS.flatMap(([loader, input]) => choicesOf(info, loader, input)),
  };
}

/** The choices of a combo input: a bare list, or the newer `["COMBO", {options}]`. */
function choicesOf(info: ObjectInfo, name: string, input: string): readonly string[] {
  const spec = info[name]?.input?.required?.[input];
  if (!Array.isArray(spec)) return [];
  const list: unknown = Array.isArray(spec[0]) ? spec[0] : (spec[1] as { options?: unknown } | undefined)?.options;
  return Array.isArray(list) ? list.filter((each): each is string => typeof each === "string") : [];
}
