import { createHash } from "node:crypto";
import { cpus, totalmem } from "node:os";
import type { Capabilities } from "@genai/protocol";
import type { EngineProbe, EngineType } from "./engines/engine.ts";
import type { Gpu } from "./machine/gpu.ts";

/** What a node's operator asks. `models` replace the engine's list; with an empty one it stands. */
interface OperatorWishes {
  readonly models: readonly string[];
  /** Credits for a task. */
  readonly minCost: number;
}

/** Bounds of the protocol: what is over them is left out, so that a machine with very many files can still join. */
const MODELS_MAX = 10_000;
const NODE_CLASSES_MAX = 20_000;
const NAME_CHARS_MAX = 512;

/** What a node offers, of what its engine says, its machine has and its operator asks; with the whole list of node classes. */
export function capabilitiesOf(
  engine: EngineType,
  probe: EngineProbe,
  machine: Gpu | null,
  operator: OperatorWishes,
): Capabilities {
  const ready = probe.state === "ready";
  const gpu = (ready ? probe.gpu : null) ?? machine;
  const base = {
    engine,
    ramBytes: totalmem(),
    cpuCount: cpus().length,
    minCost: operator.minCost,
    gpuType: gpu?.type.slice(0, 256) ?? null,
    gpuCount: gpu?.count ?? 0,
    vramBytes: gpu?.vramBytes ?? null,
  };
  const named = (names: readonly string[], most: number): string[] =>
    names.filter(({ length }) => length <= NAME_CHARS_MAX).slice(0, most);
  if (!ready) {
    return {
      ...base,
      engineVersion: null,
      ready: false,
      pipelines: [],
      models: named(operator.models, MODELS_MAX),
      warmModel: null,
      imageInput: false,
      nodeClassesHash: null,
    };
  }
  const nodeClasses = probe.nodeClasses === null ? null : named(probe.nodeClasses, NODE_CLASSES_MAX);
  return {
    ...base,
    engineVersion: probe.version?.slice(0, 128) ?? null,
    ready: true,
    pipelines: [...probe.pipelines],
    models: named(operator.models.length > 0 ? operator.models : probe.models, MODELS_MAX),
    warmModel: probe.warmModel?.slice(0, NAME_CHARS_MAX) ?? null,
    imageInput: probe.imageInput,
    nodeClassesHash: nodeClasses === null ? null : hashOfNames(nodeClasses),
    ...(nodeClasses === null ? {} : { nodeClasses }),
  };
}

/** SHA-256 of the names in order, one a line. */
function hashOfNames(names: readonly string[]): string {
  return createHash("sha256")
    .update([...names].sort().join("\n"))
    .digest("hex");
}
