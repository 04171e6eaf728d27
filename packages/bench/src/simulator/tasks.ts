import type { Requirements, Task } from "@genai/dispatcher";
import type { Profile } from "./profile.ts";
import type { Random } from "./random.ts";

/** Pixels × steps of a picture of 512 × 512 with 20 steps. */
export const UNITS = 512 * 512 * 20;

const CALM_REQUIREMENTS: Requirements = {
  pipeline: "standard",
  engine: null,
  models: [],
  gpuType: null,
  vramBytesMin: null,
  imageInput: "none",
  modelIsWishOnLegacy: false,
};

export const MODELS = ["sdxl", "flux", "sd15", "Folder/SDXL.safetensors"] as const;

/** A task that nobody has seen before. */
export function drawTask(random: Random, profile: Profile, taskId: string, userId: string): Task {
  const work = { signature: "standard", units: UNITS * random.pick([0.25, 1, 1, 4]) };
  if (profile.calm !== null) {
    return {
      taskId,
      userId,
      priority: 0,
      maxCost: 10,
      timeToMoneyRatio: 1,
      requirements:
        profile.warmTurnsMax > 0 ? { ...CALM_REQUIREMENTS, models: [random.pick(MODELS)] } : CALM_REQUIREMENTS,
      work,
      limitMs: profile.calm.attemptMsMax * 10,
      ageMs: 0,
      expiresInMs: null,
      maxAttempts: 5,
    };
  }
  const comfy = random.chance(0.3);
  return {
    taskId,
    userId,
    priority: random.chance(0.7) ? 0 : random.integer(-10, 10),
    maxCost: random.pick([0, 1, 3, 15, 15, 1_000]),
    timeToMoneyRatio: random.pick([0, 0, 0.001, 0.05, 0.3, 1, 10, 1e12]),
    requirements: {
      pipeline: comfy ? "comfy" : "standard",
      engine: random.chance(0.8) ? null : random.pick(["comfyUI", "automatic"]),
      models: random.chance(0.3) ? [] : [random.pick(MODELS), ...(random.chance(0.1) ? ["flux"] : [])],
      gpuType: random.chance(0.9) ? null : "4090",
      vramBytesMin: random.chance(0.9) ? null : 20e9,
      imageInput: random.pick(["none", "none", "none", "wish", "required"]),
      modelIsWishOnLegacy: random.chance(0.5),
    },
    work: comfy ? { signature: `graph:${random.integer(1, 3)}`, units: 1 } : work,
    limitMs: random.pick([5_000, 60_000, 150_000, 600_000]),
    ageMs: random.chance(0.95) ? 0 : random.integer(0, 3_600_000),
    expiresInMs: random.chance(0.8) ? null : random.integer(1, 120_000),
    maxAttempts: random.pick([1, 2, 5, 5]),
  };
}
