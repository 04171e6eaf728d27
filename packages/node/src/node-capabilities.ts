import { cpus, totalmem } from "node:os";
import type { Capabilities } from "@genai/protocol";
import type { EngineProbe, EngineType } from "./engines/engine.ts";

/** What a node offers, of what its engine says and its operator asks. `models` given by the operator replace the engine's list. */
export function capabilitiesOf(
  engine: EngineType,
  probe: EngineProbe,
  operator: { readonly models: readonly string[]; readonly minCost: number },
): Capabilities {
  const machine = { engine, ramBytes: totalmem(), cpuCount: cpus().length, minCost: operator.minCost };
  if (probe.state === "unready") {
    return {
      ...machine,
      engineVersion: null,
      ready: false,
      pipelines: [],
      models: [...operator.models],
      warmModel: null,
      gpuType: null,
      gpuCount: 0,
      vramBytes: null,
      imageInput: false,
      nodeClassesHash: null,
    };
  }
  return {
    ...machine,
    engineVersion: probe.version,
    ready: true,
    pipelines: [...probe.pipelines],
    models: operator.models.length > 0 ? [...operator.models] : [...probe.models],
    warmModel: probe.warmModel,
    gpuType: probe.gpu?.type ?? null,
    gpuCount: probe.gpu?.count ?? 0,
    vramBytes: probe.gpu?.vramBytes ?? null,
    imageInput: probe.imageInput,
    nodeClassesHash: null,
  };
}
