import type {
  CreateNodeProgress,
  CreateNodeRequest__Output,
  NodeInfo,
  PlanCreateResponse,
  ScalerOffer,
  ScalerOfferFilter__Output,
  NodeChange as WireNodeChange,
} from "@genai/protocol/scaler";
import type { NodeChange } from "../core/node-feed.ts";
import { type NodeSpec, type OfferFilter, parseNodeSpec, type Resources } from "../core/node-spec.ts";
import type { CreateProgress, Offer, PlatformNode } from "../core/platform.ts";
import type { PlannedNode } from "../core/scaler.ts";
import { withoutQuery } from "../core/without-query.ts";

/** What an empty field of a request stands for. */
export interface RequestDefaults {
  readonly image: string;
  readonly provScript: string;
  /** Join token for nodes whose request brings none; null for none at all. */
  readonly nodeToken: string | null;
}

/** A request as a node to be made. In proto3 an empty field and one that was left out are the same. Throws `invalid`. */
export function toSpec(request: CreateNodeRequest__Output, defaults: RequestDefaults): NodeSpec {
  const { resources } = request;
  return parseNodeSpec({
    platform: request.platform,
    backend: request.backend,
    image: request.image || defaults.image,
    provScript: request.provScript || defaults.provScript,
    offerId: request.vastaiIid === undefined ? null : String(request.vastaiIid),
    env: request.env,
    labels: request.labels,
    nodeToken: request.nodeToken || defaults.nodeToken,
    idempotencyKey: request.idempotencyKey,
    resources: {
      memoryBytes: Number(resources?.memoryBytes ?? 0) || null,
      cpus: resources?.cpus || null,
      gpus: resources?.gpus ?? 0,
      pidsMax: resources?.pidsMax || null,
      diskBytes: Number(resources?.diskBytes ?? 0) || null,
    },
    filter: toFilter(request.filter),
    args: request.args,
    network: request.network || null,
  });
}

export function toFilter(filter: ScalerOfferFilter__Output | null): OfferFilter {
  return {
    gpuType: filter?.gpuType || null,
    vramBytesMin: Number(filter?.vramBytesMin ?? 0) || null,
    pricePerHourMax: filter?.pricePerHourMax || null,
    reliabilityMin: filter?.reliabilityMin || null,
    gpusMin: filter?.gpusMin || null,
  };
}

const STATE_NAMES = {
  starting: "NODE_STATE_STARTING",
  running: "NODE_STATE_RUNNING",
  stopping: "NODE_STATE_STOPPING",
  failed: "NODE_STATE_FAILED",
} as const;

export function toNodeInfo(node: PlatformNode): NodeInfo {
  return {
    nodeId: node.nodeId,
    platform: node.platform,
    backend: node.backend,
    image: node.image,
    state: STATE_NAMES[node.state],
    createdAt: node.createdAtMs === 0 ? null : toTimestamp(node.createdAtMs),
    pricePerHour: node.pricePerHour,
    labels: { ...node.labels },
    gpu: node.gpu,
    resources: toResources(node.resources),
    idempotencyKey: node.idempotencyKey,
    message: node.message,
    ...(node.exitCode !== null && { exitCode: node.exitCode }),
    lastLogLines: [...node.lastLogLines],
  };
}

const CHANGE_NAMES = { added: "TYPE_ADDED", changed: "TYPE_CHANGED", removed: "TYPE_REMOVED" } as const;

export function toWireChange(change: NodeChange): WireNodeChange {
  if (change.type === "synced") return { type: "TYPE_SYNCED" };
  return { type: CHANGE_NAMES[change.type], node: toNodeInfo(change.node) };
}

const STAGE_NAMES = {
  planned: "STAGE_PLANNED",
  pulling: "STAGE_PULLING",
  creating: "STAGE_CREATING",
  starting: "STAGE_STARTING",
} as const;

export function toWireProgress({ stage, progress, message }: CreateProgress): CreateNodeProgress {
  return { stage: STAGE_NAMES[stage], message, ...(progress !== null && { progress }) };
}

export function toWireOffer(offer: Offer): ScalerOffer {
  return { ...offer, vramBytes: String(offer.vramBytes) };
}

export function toWirePlan(spec: NodeSpec, { plan, existing }: PlannedNode): PlanCreateResponse {
  return {
    node: {
      platform: spec.platform,
      backend: withoutQuery(spec.backend),
      image: spec.image,
      pricePerHour: plan.pricePerHour,
      labels: spec.labels,
      gpu: plan.gpu,
      resources: toResources(plan.resources),
      idempotencyKey: spec.idempotencyKey,
    },
    ...(plan.offer && { offer: toWireOffer(plan.offer) }),
    existingNodeId: existing?.nodeId ?? "",
    pull: plan.pull,
    warnings: [...plan.warnings],
  };
}

function toResources(resources: Resources): NonNullable<NodeInfo["resources"]> {
  return {
    memoryBytes: String(resources.memoryBytes ?? 0),
    cpus: resources.cpus ?? 0,
    gpus: resources.gpus,
    pidsMax: resources.pidsMax ?? 0,
    diskBytes: String(resources.diskBytes ?? 0),
  };
}

function toTimestamp(atMs: number): { seconds: string; nanos: number } {
  return { seconds: String(Math.floor(atMs / 1000)), nanos: Math.floor(atMs % 1000) * 1_000_000 };
}
