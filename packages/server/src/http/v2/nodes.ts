import type { V2Node, V2Operations } from "@genai/protocol";
import type { Caller } from "../../identity/caller.ts";
import type { NodeReading } from "../fleet-readings.ts";
import { HttpRefusal } from "../http-refusal.ts";
import type { OperationHandler } from "./operation-router.ts";
import type { V2Context } from "./v2-context.ts";
import { instant } from "./v2-view.ts";

export function listNodes(context: V2Context): OperationHandler<V2Operations["listNodes"]> {
  return async ({ caller }) => {
    const nodes = context.options.fleet.nodes();
    return { status: 200, body: { nodes: nodes.map((node) => nodeView(node, caller.role)) } };
  };
}

export function drainNode(context: V2Context): OperationHandler<V2Operations["drainNode"]> {
  return async ({ params }) => ({ status: 200, body: changed(context, params.nodeId, "drain") });
}

export function undrainNode(context: V2Context): OperationHandler<V2Operations["undrainNode"]> {
  return async ({ params }) => ({ status: 200, body: changed(context, params.nodeId, "undrain") });
}

function changed({ options: { fleet } }: V2Context, nodeId: string, word: "drain" | "undrain"): V2Node {
  const known = fleet[word](nodeId);
  const node = fleet.nodes().find(({ provider }) => provider.providerId === nodeId);
  if (!known || node === undefined) {
    throw new HttpRefusal("node_not_found", { detail: `there is no node ${JSON.stringify(nodeId)}` });
  }
  return nodeView(node, "admin");
}

/** What a user may know of a node is what it offers, costs and does; who it is and how it fared is for administrators. */
function nodeView(node: NodeReading, role: Caller["role"]): V2Node {
  const { provider } = node;
  const isAdmin = role === "admin";
  return {
    id: provider.providerId,
    state: stateOf(node),
    engine: provider.engine,
    pipelines: [...provider.pipelines],
    models: [...provider.models],
    warmModel: provider.warmModel,
    gpuType: provider.gpuType,
    vramBytes: provider.vramBytes,
    imageInput: provider.imageInput,
    slots: provider.slots,
    running: node.running,
    cost: provider.cost,
    legacy: provider.legacy,
    restsForMs: node.restsForMs === null ? null : Math.max(0, Math.round(node.restsForMs)),
    pictureMs: node.pictureMs === null ? null : Math.round(node.pictureMs),
    connectedAt: node.connectedAtMs === null ? null : instant(node.connectedAtMs),
    counts: isAdmin ? { ...node.tally } : null,
    address: isAdmin ? node.address : null,
    protocol: isAdmin ? node.protocol : null,
  };
}

function stateOf(node: NodeReading): V2Node["state"] {
  if (!node.online) return "offline";
  if (node.draining) return "draining";
  if (node.silent) return "silent";
  if (!node.provider.ready) return "starting";
  if (node.restsForMs !== null) return "resting";
  return node.freeSlots > 0 ? "idle" : "busy";
}
