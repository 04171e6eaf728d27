import type { StandardSize } from "./work.ts";

/** No picture is given less: loading a large model from a slow disk alone may take two minutes. */
const PICTURE_MS_MIN = 150_000;
const OVERHEAD_MS = 30_000;
/** Two seconds for a step of 0.26 megapixels (512 × 512), which the slowest card that is still of use manages. */
const STEP_MS = 2_000;
const STEP_MEGAPIXELS = 0.26;

/** How long one attempt of a standard task may take, in milliseconds: max(150 s, 30 s + 2 s × steps × megapixels / 0.26) for each
 *  picture. Absent sizes count as 512 × 512 and 20 steps. */
export function attemptLimitMs(size: StandardSize): number {
  const megapixels = ((size.width ?? 512) * (size.height ?? 512)) / 1e6;
  const pictureMs = OVERHEAD_MS + (STEP_MS * (size.steps ?? 20) * megapixels) / STEP_MEGAPIXELS;
  return Math.ceil(Math.max(PICTURE_MS_MIN, pictureMs) * (size.count ?? 1));
}
