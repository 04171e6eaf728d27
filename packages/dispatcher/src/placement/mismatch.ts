import type { Requirements } from "../task.ts";
import type { Kind } from "./kind.ts";

/** Why a kind does not meet requirements, in stable words. */
export type Mismatch = "pipeline" | "engine" | "model_missing" | "gpu_type" | "memory" | "image_input";

/** The first reason why this kind cannot serve these (canonical) requirements, or null where it can. */
export function mismatchOf(requirements: Requirements, kind: Kind): Mismatch | null {
  // An unknown engine (a legacy node's) serves every pipeline and every engine that is asked for.
  if (kind.engine !== null && !kind.pipelines.has(requirements.pipeline)) return "pipeline";
  if (kind.engine !== null && requirements.engine !== null && kind.engine !== requirements.engine) return "engine";
  if (requirements.gpuType !== null && kind.gpuType !== requirements.gpuType) return "gpu_type";
  if (requirements.vramBytesMin !== null && (kind.vramBytes === null || kind.vramBytes < requirements.vramBytesMin)) {
    return "memory";
  }
  if (requirements.imageInput === "required" && !kind.imageInput) return "image_input";
  const modelIsWish = kind.legacy && requirements.modelIsWishOnLegacy;
  if (!modelIsWish && kind.models !== null) {
    for (const model of requirements.models) if (!kind.models.has(model)) return "model_missing";
  }
  return null;
}
