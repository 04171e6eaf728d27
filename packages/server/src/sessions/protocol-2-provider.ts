import type { Provider } from "@genai/dispatcher";
import type { Capabilities } from "@genai/protocol";

/** A protocol-2 node as the dispatcher sees it. */
export function protocol2Provider(nodeId: string, slots: number, capabilities: Capabilities): Provider {
  return {
    providerId: nodeId,
    legacy: false,
    engine: capabilities.engine,
    pipelines: capabilities.pipelines,
    models: capabilities.models,
    warmModel: capabilities.warmModel,
    gpuType: capabilities.gpuType,
    vramBytes: capabilities.vramBytes,
    imageInput: capabilities.imageInput,
    slots,
    prefetch: 0,
    cost: capabilities.minCost,
    ready: capabilities.ready,
  };
}
