import { normalizeModel } from "../normalize-model.ts";
import type { Provider } from "../provider.ts";
import type { Requirements } from "../task.ts";

/** Tasks with the same requirements. Interned: equal ones are the same object. */
export interface TaskClass {
  /** {@link requirementClassKey}. */
  readonly key: string;
  /** In their canonical spelling. */
  readonly requirements: Requirements;
}

/** Why an offer does not meet requirements, in stable words. */
export type Mismatch = "pipeline" | "engine" | "model_missing" | "gpu_type" | "memory" | "image_input";

/** The first reason why this offer cannot serve these (canonical) requirements, or null where it can. */
export function mismatchOf(requirements: Requirements, offer: Provider): Mismatch | null {
  if (offer.engine !== null && !offer.pipelines.includes(requirements.pipeline)) return "pipeline";
  if (requirements.engine !== null && offer.engine !== null && offer.engine.toLowerCase() !== requirements.engine) {
    return "engine";
  }
  if (requirements.gpuType !== null && offer.gpuType?.toLowerCase() !== requirements.gpuType) return "gpu_type";
  if (requirements.vramBytesMin !== null && (offer.vramBytes === null || offer.vramBytes < requirements.vramBytesMin)) {
    return "memory";
  }
  if (requirements.imageInput === "required" && !offer.imageInput) return "image_input";
  const wish = offer.legacy && requirements.modelIsWishOnLegacy;
  if (!wish && offer.models.length > 0 && requirements.models.length > 0) {
    const models = new Set(offer.models.map(normalizeModel));
    if (!requirements.models.every((model) => models.has(model))) return "model_missing";
  }
  return null;
}
