import { randomInt } from "node:crypto";
import type { StandardPipeline } from "@genai/protocol";
import type { Graph } from "./graph.ts";

/** Text to image, or image to image where `image` names an uploaded file, as ComfyUI's own default workflow does it.
 *  Seeds of a batch: ComfyUI draws the noise of all pictures of a batch from one seed. */
export function standardGraph(
  pipeline: StandardPipeline,
  checkpoint: string,
  image: string | null,
): { graph: Graph; seed: number } {
  const {
    prompt,
    negativePrompt = "",
    width = 512,
    height = 512,
    steps = 20,
    guidanceScale = 7,
    count = 1,
    strength = 0.75,
  } = pipeline;
  const seed = pipeline.seed ?? randomInt(2 ** 47);
  const source: Graph =
    image === null
      ? { "5": { class_type: "EmptyLatentImage", inputs: { width, height, batch_size: count } } }
      : {
          "10": { class_type: "LoadImage", inputs: { image } },
          "11": {
            class_type: "ImageScale",
            inputs: { image: ["10", 0], upscale_method: "bilinear", width, height, crop: "center" },
          },
          "12": { class_type: "VAEEncode", inputs: { pixels: ["11", 0], vae: ["4", 2] } },
          "5": { class_type: "RepeatLatentBatch", inputs: { samples: ["12", 0], amount: count } },
        };
  const graph: Graph = {
    "3": {
      class_type: "KSampler",
      inputs: {
        seed,
        steps,
        cfg: guidanceScale,
        sampler_name: "euler",
        scheduler: "normal",
        denoise: image === null ? 1 : strength,
        model: ["4", 0],
        positive: ["6", 0],
        negative: ["7", 0],
        latent_image: ["5", 0],
      },
    },
    "4": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: checkpoint } },
    ...source,
    "6": { class_type: "CLIPTextEncode", inputs: { text: prompt, clip: ["4", 1] } },
    "7": { class_type: "CLIPTextEncode", inputs: { text: negativePrompt, clip: ["4", 1] } },
    "8": { class_type: "VAEDecode", inputs: { samples: ["3", 0], vae: ["4", 2] } },
    "9": { class_type: "SaveImage", inputs: { filename_prefix: "genai", images: ["8", 0] } },
  };
  return { graph, seed };
}

/** The name by which the engine knows a model, compared without folder, extension and case; null where it has none such. */
export function findModel(wanted: string, known: readonly string[]): string | null {
  const plain = (name: string): string =>
    (name.split(/[\\/]/).at(-1) ?? name)
      .replace(/ \[[0-9a-f]+\]$/i, "")
      .replace(/\.(?:safetensors|ckpt|pt|pth|bin|gguf)$/i, "")
      .toLowerCase();
  return known.find((name) => name === wanted) ?? known.find((name) => plain(name) === plain(wanted)) ?? null;
}
