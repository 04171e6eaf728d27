/** Loader nodes of ComfyUI that name a model file: class → inputs that hold its name. Other classes ask for nothing. */
const LOADER_INPUTS: Readonly<Record<string, readonly string[]>> = {
  CheckpointLoader: ["ckpt_name"],
  CheckpointLoaderSimple: ["ckpt_name"],
  unCLIPCheckpointLoader: ["ckpt_name"],
  ImageOnlyCheckpointLoader: ["ckpt_name"],
  UNETLoader: ["unet_name"],
  UnetLoaderGGUF: ["unet_name"],
  LoraLoader: ["lora_name"],
  LoraLoaderModelOnly: ["lora_name"],
  VAELoader: ["vae_name"],
  ControlNetLoader: ["control_net_name"],
  DiffControlNetLoader: ["control_net_name"],
  CLIPLoader: ["clip_name"],
  CLIPLoaderGGUF: ["clip_name"],
  DualCLIPLoader: ["clip_name1", "clip_name2"],
  DualCLIPLoaderGGUF: ["clip_name1", "clip_name2"],
  TripleCLIPLoader: ["clip_name1", "clip_name2", "clip_name3"],
  QuadrupleCLIPLoader: ["clip_name1", "clip_name2", "clip_name3", "clip_name4"],
  CLIPVisionLoader: ["clip_name"],
  StyleModelLoader: ["style_model_name"],
  GLIGENLoader: ["gligen_name"],
  UpscaleModelLoader: ["model_name"],
  HypernetworkLoader: ["hypernetwork_name"],
};

/** VAELoader's own names, for which there is no file. */
const BUILT_IN = /^(taesd|taesdxl|taesd3|taef1|pixel_space)$/i;

/** Most models that one graph may ask for; a graph that names more asks for the first ones only. */
const MODELS_MAX = 64;

/** The models that a ComfyUI graph in API format loads, as it writes them, each once, in the order of the graph. */
export function graphModels(graph: Readonly<Record<string, unknown>>): readonly string[] {
  const models = new Set<string>();
  for (const node of Object.values(graph)) {
    if (!isRecord(node) || typeof node.class_type !== "string" || !isRecord(node.inputs)) continue;
    const inputs = Object.hasOwn(LOADER_INPUTS, node.class_type) ? (LOADER_INPUTS[node.class_type] ?? []) : [];
    for (const input of inputs) {
      const name = node.inputs[input];
      // An array is a link to another node's output: nobody knows the name before the graph runs.
      if (typeof name === "string" && name !== "" && !BUILT_IN.test(name)) models.add(name.slice(0, 512));
    }
  }
  return [...models].slice(0, MODELS_MAX);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
