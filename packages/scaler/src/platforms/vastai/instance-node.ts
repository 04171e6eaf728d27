import type { NodeState, PlatformNode } from "../../core/platform.ts";
import { readMeta } from "./instance-meta.ts";
import type { VastaiInstance } from "./vastai-schemas.ts";

/** Where an instance is in its life. What vast.ai stops because somebody bid more is `failed`: its intention stays running. */
export function instanceState(instance: VastaiInstance): NodeState {
  if (instance.intended_status === "stopped") return "stopping";
  switch (instance.actual_status) {
    case "running":
      return "running";
    case "exited":
    case "offline":
    case "unknown":
      return "failed";
    default:
      return "starting";
  }
}

export function toNode(instance: VastaiInstance): PlatformNode {
  const meta = readMeta(instance.extra_env);
  return {
    nodeId: String(instance.id),
    platform: "vastai",
    name: instance.label ?? "",
    backend: meta?.backend ?? "",
    image: meta?.image ?? instance.image_uuid ?? "",
    state: instanceState(instance),
    createdAtMs: (instance.start_date ?? 0) * 1000,
    pricePerHour: instance.dph_total ?? 0,
    labels: meta?.labels ?? {},
    gpu: instance.gpu_name ?? "",
    resources: { memoryBytes: null, cpus: null, gpus: instance.num_gpus ?? 0, pidsMax: null, diskBytes: null },
    idempotencyKey: meta?.key ?? "",
    digest: meta?.digest ?? "",
    message: instance.status_msg ?? "",
    exitCode: null,
    lastLogLines: [],
  };
}
