type InputSpec = readonly unknown[];

interface NodeClass {
  readonly required: Readonly<Record<string, InputSpec>>;
  readonly output: boolean;
}

const CLASSES: Readonly<Record<string, NodeClass>> = {
  LoadImage: { required: { image: [["probe.png"], { image_upload: true }] }, output: false },
  EmptyImage: {
    required: {
      width: ["INT", { default: 512, min: 1, max: 16_384, step: 1 }],
      height: ["INT", { default: 512, min: 1, max: 16_384, step: 1 }],
    },
    output: false,
  },
  ImageScale: {
    required: {
      image: ["IMAGE"],
      upscale_method: [["nearest-exact", "bilinear", "area", "bicubic", "lanczos"], {}],
      width: ["INT", { default: 512, min: 0, max: 16_384, step: 1 }],
      height: ["INT", { default: 512, min: 0, max: 16_384, step: 1 }],
      crop: [["disabled", "center"], {}],
    },
    output: false,
  },
  ImageInvert: { required: { image: ["IMAGE"] }, output: false },
  SaveImage: { required: { images: ["IMAGE"], filename_prefix: ["STRING", { default: "ComfyUI" }] }, output: true },
  PreviewImage: { required: { images: ["IMAGE"] }, output: true },
  KSampler: { required: { seed: ["INT"], steps: ["INT"], latent_image: ["LATENT"] }, output: false },
  EmptyLatentImage: {
    required: {
      width: ["INT", { default: 512, min: 16, max: 16_384, step: 8 }],
      height: ["INT", { default: 512, min: 16, max: 16_384, step: 8 }],
      batch_size: ["INT", { default: 1, min: 1, max: 4_096 }],
    },
    output: false,
  },
  CLIPTextEncode: { required: { text: ["STRING"], clip: ["CLIP"] }, output: false },
  VAEDecode: { required: { samples: ["LATENT"], vae: ["VAE"] }, output: false },
  VAEEncode: { required: { pixels: ["IMAGE"], vae: ["VAE"] }, output: false },
  CheckpointLoaderSimple: {
    required: { ckpt_name: [["sd15/DreamShaper_8.safetensors", "sdxl_base.safetensors"]] },
    output: false,
  },
  LoraLoader: { required: { lora_name: ["COMBO", { options: ["detail.safetensors"] }] }, output: false },
};

/** `/object_info` of a version. */
export function objectInfo(isNew: boolean): unknown {
  return Object.fromEntries(
    Object.entries(CLASSES).map(([name, { required, output }]) => [
      name,
      {
        input: { required },
        ...(isNew ? { input_order: { required: Object.keys(required) }, python_module: "nodes" } : {}),
        output: [],
        output_is_list: [],
        output_name: [],
        name,
        display_name: name,
        description: "",
        category: "image",
        output_node: output,
      },
    ]),
  );
}

export type FakeGraph = Readonly<
  Record<string, { readonly class_type: string; readonly inputs?: Readonly<Record<string, unknown>> }>
>;

export function isOutput(classType: string): boolean {
  return CLASSES[classType]?.output === true;
}

interface NodeProblem {
  readonly type: string;
  readonly message: string;
  readonly details: string;
  readonly extra_info: unknown;
}

/** What a version makes of a graph before it queues it: the outputs to run, or an answer that refuses. */
export type Validation =
  | { readonly outputs: readonly string[]; readonly nodeErrors: Readonly<Record<string, unknown>> }
  | { readonly status: number; readonly body: unknown };

export function validate(graph: unknown, isNew: boolean, inputFiles: ReadonlySet<string>): Validation {
  if (graph === undefined) {
    const error = problem("no_prompt", "No prompt provided", "No prompt provided");
    return { status: 400, body: isNew ? { error, node_errors: {} } : { error: "no prompt", node_errors: [] } };
  }
  const nodes = Object.entries(graph as FakeGraph);
  for (const [id, node] of nodes) {
    if (node.class_type in CLASSES) continue;
    if (!isNew) return { status: 500, body: "500 Internal Server Error\n\nServer got itself in trouble" };
    const message = `Cannot execute because node ${node.class_type} does not exist.`;
    return { status: 400, body: { error: problem("invalid_prompt", message, `Node ID '#${id}'`), node_errors: {} } };
  }
  const outputs = nodes.filter(([, { class_type }]) => isOutput(class_type)).map(([id]) => id);
  if (outputs.length === 0) {
    const error = problem("prompt_no_outputs", "Prompt has no outputs", "");
    return { status: 400, body: { error, node_errors: isNew ? {} : [] } };
  }
  const problems = new Map(nodes.map(([id, node]) => [id, problemsOf(node, inputFiles)]));
  const good = outputs.filter((output) =>
    upstream(graph as FakeGraph, output).every((id) => problems.get(id)?.length === 0),
  );
  const nodeErrors = Object.fromEntries(
    [...problems]
      .filter(([, errors]) => errors.length > 0)
      .map(([id, errors]) => [
        id,
        {
          errors,
          dependent_outputs: outputs.filter((output) => upstream(graph as FakeGraph, output).includes(id)),
          class_type: (graph as FakeGraph)[id]?.class_type,
        },
      ]),
  );
  if (good.length > 0) return { outputs: good, nodeErrors };
  const error = problem("prompt_outputs_failed_validation", "Prompt outputs failed validation", "");
  return { status: 400, body: { error, node_errors: nodeErrors } };
}

/** The node and all that it hangs on, those first. */
export function upstream(graph: FakeGraph, id: string, seen: string[] = []): string[] {
  if (seen.includes(id)) return seen;
  for (const value of Object.values(graph[id]?.inputs ?? {}))
    if (Array.isArray(value)) upstream(graph, String(value[0]), seen);
  seen.push(id);
  return seen;
}

function problemsOf(
  { class_type, inputs = {} }: FakeGraph[string],
  inputFiles: ReadonlySet<string>,
): readonly NodeProblem[] {
  const found: NodeProblem[] = [];
  for (const [name, spec] of Object.entries(CLASSES[class_type]?.required ?? {})) {
    const value = inputs[name];
    const [kind, options] = spec as [unknown, { max?: number } | undefined];
    if (value === undefined) {
      if (["images", "image", "width", "height", "crop"].includes(name))
        found.push(problem("required_input_missing", "Required input is missing", name, { input_name: name }));
    } else if (class_type === "LoadImage") {
      if (!inputFiles.has(String(value)))
        found.push(
          problem(
            "custom_validation_failed",
            "Custom validation failed for node",
            `image - Invalid image file: ${value}`,
            { input_name: "image" },
          ),
        );
    } else if (Array.isArray(kind) && !kind.includes(value)) {
      const list = kind.map((each) => `'${each}'`).join(", ");
      found.push(
        problem("value_not_in_list", "Value not in list", `${name}: '${value}' not in [${list}]`, {
          input_name: name,
          input_config: spec,
          received_value: value,
        }),
      );
    } else if (kind === "INT" && typeof value === "number" && options?.max !== undefined && value > options.max) {
      found.push(
        problem("value_bigger_than_max", `Value ${value} bigger than max of ${options.max}`, name, {
          input_name: name,
          input_config: spec,
          received_value: value,
        }),
      );
    }
  }
  return found;
}

function problem(type: string, message: string, details: string, extra_info: unknown = {}): NodeProblem {
  return { type, message, details, extra_info };
}
