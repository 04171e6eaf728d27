/** A node as the dispatcher sees it. Plain JSON. */
export interface Provider {
  readonly providerId: string;
  /** Speaks only v1: one task at a time, deaf to aborts, and what it ran is gone with its connection. */
  readonly legacy: boolean;
  /** Engine by name, or null when unknown (a legacy node), which serves every pipeline. */
  readonly engine: string | null;
  readonly pipelines: readonly ("standard" | "comfy")[];
  /** Models on offer; empty: it offers all. */
  readonly models: readonly string[];
  /** The model in memory now, or null when unknown. */
  readonly warmModel: string | null;
  readonly gpuType: string | null;
  readonly vramBytes: number | null;
  readonly imageInput: boolean;
  /** How many attempts it runs at once, 1 to 64. */
  readonly slots: number;
  /** Attempts beyond its slots that may be sent ahead, 0 to 4. */
  readonly prefetch: number;
  /** Flat price of one task in credits, ≥ 0. */
  readonly cost: number;
  /** The node says whether its engine can take work at present. */
  readonly ready: boolean;
}
