import type { NodeSpec } from "../../src/core/node-spec.ts";
import { specDigest } from "../../src/core/node-spec.ts";
import type {
  CreateContext,
  LogChunk,
  Offer,
  Plan,
  Platform,
  PlatformNode,
  RemoveOutcome,
} from "../../src/core/platform.ts";
import { ScalerError } from "../../src/core/scaler-error.ts";

/** What several MemoryPlatforms share, as scalers share an engine. */
export class MemoryEngine {
  readonly nodes = new Map<string, PlatformNode>();
  readonly foreign = new Set<string>();
  /** Most nodes that ever were there at once. */
  peak = 0;
  lastId = 0;
}

/** A platform without machines, for tests of what stands above the platforms. Ids are eight letters and digits. */
export class MemoryPlatform implements Platform {
  readonly name: string;
  readonly #engine: MemoryEngine;
  readonly #pricePerHour: number;

  constructor(engine: MemoryEngine, name = "memory", pricePerHour = 0) {
    this.name = name;
    this.#engine = engine;
    this.#pricePerHour = pricePerHour;
  }

  owns(nodeId: string): boolean {
    return /^m\d{7}$/.test(nodeId);
  }

  async list(): Promise<readonly PlatformNode[]> {
    await turn();
    return [...this.#engine.nodes.values()].filter((node) => node.platform === this.name);
  }

  async plan(spec: NodeSpec): Promise<Plan> {
    const { resources } = spec;
    return { pricePerHour: this.#pricePerHour, offer: null, gpu: "", resources, pull: false, warnings: [] };
  }

  async create(spec: NodeSpec, _plan: Plan, name: string, context: CreateContext): Promise<PlatformNode> {
    context.onProgress({ stage: "creating", progress: null, message: "" });
    await turn();
    if (context.signal.aborted) throw new ScalerError("canceled", "Canceled.");
    const twin = [...this.#engine.nodes.values()].find((node) => node.name === name);
    if (twin) return twin;
    this.#engine.lastId += 1;
    const node = toNode(`m${String(this.#engine.lastId).padStart(7, "0")}`, spec, name, this.#pricePerHour);
    this.#engine.nodes.set(node.nodeId, node);
    this.#engine.peak = Math.max(this.#engine.peak, this.#engine.nodes.size);
    return node;
  }

  async finish(node: PlatformNode): Promise<PlatformNode> {
    return node;
  }

  async remove(nodeId: string): Promise<RemoveOutcome> {
    await turn();
    if (this.#engine.foreign.has(nodeId)) return "foreign";
    return this.#engine.nodes.delete(nodeId) ? "removed" : "absent";
  }

  async *logs(nodeId: string): AsyncIterable<LogChunk> {
    yield { data: Buffer.from(`log of ${nodeId}\n`), stderr: false };
  }

  async offers(): Promise<readonly Offer[]> {
    return [];
  }

  async sweep(): Promise<readonly string[]> {
    return [];
  }
}

function toNode(nodeId: string, spec: NodeSpec, name: string, pricePerHour: number): PlatformNode {
  return {
    nodeId,
    platform: spec.platform,
    name,
    backend: spec.backend,
    image: spec.image,
    state: "running",
    createdAtMs: 1_700_000_000_000,
    pricePerHour,
    labels: spec.labels,
    gpu: "",
    resources: spec.resources,
    idempotencyKey: spec.idempotencyKey,
    digest: specDigest(spec),
    message: "",
    exitCode: null,
    lastLogLines: [],
  };
}

/** Lets everything else that waits run once, as a real engine's answer does. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
