import { z } from "zod";
import type { Operation } from "../openapi/operation.ts";
import { V2Model, V2Node } from "./nodes.ts";
import { nodeParams } from "./operation-parts.ts";
import { V2Queue } from "./queue.ts";
import { V2Usage } from "./usage.ts";

/** The fleet as its users and its operator see it. */
export const FLEET_OPERATIONS = {
  listNodes: {
    id: "listNodes",
    method: "GET",
    path: "/v2/nodes",
    tag: "fleet",
    summary: "List the nodes",
    access: "user",
    counts: "read",
    answers: { 200: { description: "Every node that is known.", schema: z.object({ nodes: z.array(V2Node) }) } },
    problems: [],
  },
  drainNode: {
    id: "drainNode",
    method: "POST",
    path: "/v2/nodes/{nodeId}/drain",
    tag: "fleet",
    summary: "Give a node no more work",
    description:
      "What runs is finished. Holds until `undrain`, over reconnects of the node; a restart of the node or of the server ends it.",
    access: "admin",
    counts: "read",
    params: nodeParams,
    answers: { 200: { description: "The node as it is now.", schema: V2Node } },
    problems: ["node_not_found"],
  },
  undrainNode: {
    id: "undrainNode",
    method: "POST",
    path: "/v2/nodes/{nodeId}/undrain",
    tag: "fleet",
    summary: "Give a node work again",
    access: "admin",
    counts: "read",
    params: nodeParams,
    answers: { 200: { description: "The node as it is now.", schema: V2Node } },
    problems: ["node_not_found"],
  },
  listModels: {
    id: "listModels",
    method: "GET",
    path: "/v2/models",
    tag: "fleet",
    summary: "List the models that the fleet offers",
    access: "user",
    counts: "read",
    answers: {
      200: {
        description: "By name.",
        schema: z.object({
          models: z.array(V2Model),
          nodesOfferingAll: z.int().meta({ description: "Online nodes that declare no models: they offer all." }),
        }),
      },
    },
    problems: [],
  },
  getQueue: {
    id: "getQueue",
    method: "GET",
    path: "/v2/queue",
    tag: "fleet",
    summary: "What waits, and what there is to serve it",
    description: "Administrators see it by class and by user; others the sums, and their own.",
    access: "user",
    counts: "read",
    answers: { 200: { description: "As things are now.", schema: V2Queue } },
    problems: [],
  },
  getUsage: {
    id: "getUsage",
    method: "GET",
    path: "/v2/usage",
    tag: "account",
    summary: "What the caller has used",
    access: "user",
    counts: "read",
    query: z.strictObject({
      user: z.string().min(1).max(256).optional().meta({ description: "Another user. Administrators only." }),
    }),
    answers: { 200: { description: "The sums.", schema: V2Usage } },
    problems: ["forbidden"],
  },
} as const satisfies Readonly<Record<string, Operation>>;
