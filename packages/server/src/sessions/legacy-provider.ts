import type { Provider } from "@genai/dispatcher";
import type { V1RegisterFrame } from "@genai/protocol";

/** A legacy node as the dispatcher sees it: what it does not say counts as good enough. */
export function legacyProvider({ node_id, metadata }: V1RegisterFrame, cost: number): Provider {
  return {
    providerId: node_id,
    legacy: true,
    engine: null,
    pipelines: ["standard", "comfy"],
    models: metadata.models ?? [],
    warmModel: null,
    gpuType: metadata.gpu_type ?? null,
    vramBytes: null,
    imageInput: false,
    slots: 1,
    prefetch: 0,
    cost,
    ready: true,
  };
}
