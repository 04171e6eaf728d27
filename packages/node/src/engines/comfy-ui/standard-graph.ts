import { randomInt } from "node:crypto";
import type { StandardPipeline } from "@genai/protocol";
import { STRENGTH_DEFAULT } from "../image-strength.ts";
import type { Graph } from "./graph.ts";

/** Text to image, or image to image where `image` names an uploaded file, as ComfyUI's own default workflow does it. A batch would draw the
 *  noise of all its pictures from one seed, so each picture has a sampler of its own, with the seed after the last one's. */
export function standardGraph(
  pipeline: StandardPipeline,
  checkpoint: string,
  image: string | null,
): { readonly graph: Graph; readonly seeds: readonly number[] } {
  const {
    prompt,
    negativePrompt = "",
    width = 512,
    height = 512,
    steps = 20,
    guidanceScale = 7,
    count = 1,
    strength = STRENGTH_DEFAULT,
  } = pipeline;
  const firstSeed = pipeline.seed ?? randomInt(2 ** 47);
  const seeds = Array.from({ length: count }, (_, n) => firstSeed + n);
  const source: Graph =
    image === null
      ? { "5": { class_type: "EmptyLatentImage", inputs: { width, height, batch_size: 1 } } }
      : {
          "10": { class_type: "LoadImage", inputs: { image } },
          "11": {
            class_type: "ImageScale",
            inputs: { image: ["10", 0], upscale_method: "bilinear", width, height, crop: "center" },
          },
          "5": { class_type: "VAEEncode", inputs: { pixels: ["11", 0], vae: ["4", 2] } },
        };
  const shared: Graph = {
    "4": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: checkpoint } },
    ...source,
    "6": { class_type: "CLIPTextEncode", inputs: { text: prompt, clip: ["4", 1] } },
    "7": { class_type: "CLIPTextEncode", inputs: { text: negativePrompt, clip: ["4", 1] } },
  };
  const denoise = image === null ? 1 : strength;
  const drawn = seeds.map((seed, n): Graph => {
    const [sample, decode, save] = [100 + n, 200 + n, 300 + n].map(String) as [string, string, string];
    const conditioning = { model: ["4", 0], positive: ["6", 0], negative: ["7", 0], latent_image: ["5", 0] };
    const inputs = { seed, steps, cfg: guidanceScale, sampler_name: "euler", scheduler: "normal", denoise };
    return {
      [sample]: { class_type: "KSampler", inputs: { ...inputs, ...conditioning } },
      [decode]: { class_type: "VAEDecode", inputs: { samples: [sample, 0], vae: ["4", 2] } },
      [save]: { class_type: "SaveImage", inputs: { filename_prefix: "genai", images: [decode, 0] } },
    };
  });
  // Numbers as keys stand in order: the saved pictures come in the order of their seeds.
  return { graph: Object.assign({}, shared, ...drawn), seeds };
}
