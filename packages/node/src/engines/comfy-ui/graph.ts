import { decodeBase64 } from "../base64.ts";
import type { InputFiles } from "../engine.ts";
import type { InputPicture } from "../input-image.ts";

/** A node of a ComfyUI graph in API format. */
interface GraphNode {
  readonly class_type: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** A ComfyUI graph in API format: nodes by id. */
export type Graph = Readonly<Record<string, GraphNode>>;

/** Longest graph as text, in characters. */
const GRAPH_CHARS_MAX = 10 * 1024 * 1024;

/** The graph that a task gave, as text or as an object, or a sentence why it is none. */
export function readGraph(workflow: string | Readonly<Record<string, unknown>>): Graph | string {
  let value: unknown = workflow;
  if (typeof workflow === "string") {
    if (workflow.length > GRAPH_CHARS_MAX) return `The graph is longer than ${GRAPH_CHARS_MAX} characters.`;
    try {
      value = JSON.parse(workflow);
    } catch {
      return "The graph is no JSON.";
    }
  } else if (JSON.stringify(workflow).length > GRAPH_CHARS_MAX)
    return `The graph is longer than ${GRAPH_CHARS_MAX} characters.`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "The graph is no JSON object.";
  if (Array.isArray((value as { nodes?: unknown }).nodes) && "links" in value) {
    return "The graph is in the format of ComfyUI's editor; export it in API format.";
  }
  const nodes = Object.entries(value);
  if (nodes.length === 0) return "The graph has no nodes.";
  for (const [id, node] of nodes) {
    const shape = node as Partial<GraphNode> | null;
    if (typeof shape !== "object" || shape === null || typeof shape.class_type !== "string")
      return `Node ${id} of the graph has no class_type.`;
    if (shape.inputs !== undefined && (typeof shape.inputs !== "object" || shape.inputs === null))
      return `The inputs of node ${id} are no object.`;
  }
  return value as Graph;
}

/** The images that a task gave with its graph, by the names that the graph uses: files, base64, or v1's raw text of a JSON object. */
export function readImages(
  images: string | Readonly<Record<string, string>> | undefined,
  inputs: InputFiles | undefined,
): ReadonlyMap<string, InputPicture> | string {
  if (images === undefined || images === "") return new Map();
  let value: unknown = images;
  if (typeof images === "string") {
    try {
      value = JSON.parse(images);
    } catch {
      return "pipelineDependencies.images is no JSON object of file names and base64 images.";
    }
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return "The images are no JSON object of file names and base64 images.";
  const read = new Map<string, InputPicture>();
  for (const [name, text] of Object.entries(value)) {
    const file = inputs?.images.get(name);
    if (file !== undefined) {
      read.set(name, { file });
      continue;
    }
    const bytes = typeof text === "string" ? decodeBase64(text) : null;
    if (bytes === null) return `The image ${JSON.stringify(name.slice(0, 100))} is no base64.`;
    read.set(name, bytes);
  }
  return read;
}

/** The graph with every input that names one of the files naming what it is called on the engine. Whole values only, so that a prompt
 *  that happens to contain a file's name stays what it is; ComfyUI's form `name [folder]` counts as the name. */
export function renameFiles(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  if (names.size === 0) return graph;
  const renamed = (value: unknown): unknown => {
    if (typeof value !== "string") return value;
    return names.get(value) ?? names.get(value.replace(/ \[(?:input|output|temp)\]$/, "")) ?? value;
  };
  return Object.fromEntries(
    Object.entries(graph).map(([id, node]) => [
      id,
      {
        ...node,
        inputs: Object.fromEntries(Object.entries(node.inputs ?? {}).map(([name, value]) => [name, renamed(value)])),
      },
    ]),
  );
}
