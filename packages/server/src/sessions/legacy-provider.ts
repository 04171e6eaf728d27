import type { Provider } from "@genai/dispatcher";
import type { V1RegisterFrame } from "@genai/protocol";

/** What v1 has no words for, said for all legacy nodes by who runs the server. */
export interface LegacyTerms {
  /** Price of a task, in credits. */
  readonly cost: number;
  /** Tasks that a node gets at once. It runs whatever it holds, several beside one another, so more than one is for nodes that are known
   *  to bear it. */
  readonly slots: number;
}

/** Where nobody says more. */
export const LEGACY_TERMS: LegacyTerms = { cost: 0, slots: 1 };

/** A legacy node as the dispatcher sees it: what it does not say counts as good enough. */
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
