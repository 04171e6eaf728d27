import type { Provider } from "@genai/dispatcher";
import type { V1RegisterFrame } from "@genai/protocol";

/** What v1 cannot express, configured by the operator for all legacy nodes. */
export interface LegacyTerms {
  /** Price of a task, in credits. */
  readonly cost: number;
  /** Tasks that a node gets at once. A legacy node runs all of them concurrently, so more than one is for nodes known to cope with it. */
  readonly slots: number;
}

/** The default. */
export const LEGACY_TERMS: LegacyTerms = { cost: 0, slots: 1 };

/** A legacy node as the dispatcher sees it. What the node does not state counts as sufficient. */
export function legacyProvider({ node_id, metadata }: V1RegisterFrame, { cost, slots }: LegacyTerms): Provider {
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
    slots,
    prefetch: 0,
    cost,
    ready: true,
  };
}
