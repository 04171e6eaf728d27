import { hash53 } from "./hash.ts";
import type { Work } from "./task.ts";

/** Size of a standard task where the caller leaves it to the engine. */
const WIDTH_DEFAULT = 512;
const HEIGHT_DEFAULT = 512;
const STEPS_DEFAULT = 20;

/** Inputs of a graph that change the picture but not the effort. */
const EFFORTLESS_INPUTS = /seed|text|prompt|filename|image|name$/i;

/** What a standard task asks for; absent is the engine's own default. */
export interface StandardSize {
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly steps?: number | undefined;
  readonly count?: number | undefined;
}

/** Work of a standard task: pixels × steps × pictures. */
export function standardWork(size: StandardSize): Work {
  const pixels = (size.width ?? WIDTH_DEFAULT) * (size.height ?? HEIGHT_DEFAULT);
  return { signature: "standard", units: pixels * (size.steps ?? STEPS_DEFAULT) * (size.count ?? 1) };
}

/** Work of a ComfyUI graph in API format: one unit of its shape, which is its node classes, links and numbers without seeds,
 *  texts and file names. Anything that is no graph gets a shape of its own too. */
export function graphWork(graph: unknown): Work {
  return { signature: `graph:${hash53(JSON.stringify(shapeOf(graph))).toString(36)}`, units: 1 };
}

function shapeOf(graph: unknown): unknown {
  if (!isRecord(graph)) return typeof graph;
  return Object.keys(graph)
    .sort()
    .map((id) => {
      const node = graph[id];
      if (!isRecord(node)) return [id, typeof node];
      const inputs = isRecord(node.inputs) ? node.inputs : {};
      return [id, String(node.class_type), inputShapes(inputs)];
    });
}

function inputShapes(inputs: Record<string, unknown>): unknown[] {
  return Object.keys(inputs)
    .sort()
    .filter((name) => !EFFORTLESS_INPUTS.test(name))
    .map((name) => {
      const value = inputs[name];
      if (typeof value === "number" || typeof value === "boolean") return [name, value];
      // A link is [node id, output number]; of other values only the kind counts.
      if (Array.isArray(value)) return [name, value.slice(0, 2).map(String)];
      return [name, typeof value];
    });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
