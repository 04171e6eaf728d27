import { normalizeModel } from "./normalize-model.ts";
import type { Requirements } from "./task.ts";

/** Requirements in the one spelling in which they are compared. */
export function canonicalRequirements(requirements: Requirements): Requirements {
  return {
    pipeline: requirements.pipeline,
    engine: requirements.engine?.toLowerCase() ?? null,
    models: [...new Set(requirements.models.map(normalizeModel))].filter((model) => model !== ""),
    gpuType: requirements.gpuType?.toLowerCase() ?? null,
    vramBytesMin: requirements.vramBytesMin,
    imageInput: requirements.imageInput,
    modelIsWishOnLegacy: requirements.modelIsWishOnLegacy,
  };
}

/** Names a requirement class. Tasks with the same key can run on the same providers; the first model stays first, because it is the one
 *  whose loading counts. */
export function requirementClassKey(requirements: Requirements): string {
  return keyOfCanonical(canonicalRequirements(requirements));
}

/** The key of requirements that are canonical already. */
export function keyOfCanonical(requirements: Requirements): string {
  const [first = "", ...others] = requirements.models;
  return JSON.stringify([
    requirements.pipeline,
    requirements.engine,
    first,
    others.sort(),
    requirements.gpuType,
    requirements.vramBytesMin,
    requirements.imageInput,
    requirements.modelIsWishOnLegacy,
  ]);
}

/** The requirements that a key was made of, in their canonical spelling. The key must come from {@link requirementClassKey}. */
export function requirementsOfClassKey(classKey: string): Requirements {
  const [pipeline, engine, first, others, gpuType, vramBytesMin, imageInput, modelIsWishOnLegacy] = JSON.parse(
    classKey,
  ) as [
    Requirements["pipeline"],
    string | null,
    string,
    string[],
    string | null,
    number | null,
    Requirements["imageInput"],
    boolean,
  ];
  const models = first === "" ? others : [first, ...others];
  return { pipeline, engine, models, gpuType, vramBytesMin, imageInput, modelIsWishOnLegacy };
}
