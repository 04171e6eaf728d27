import { z } from "zod";
import type { Operation } from "./operation.ts";

const probe = { method: "GET", tag: "server", access: "anyone", counts: "read", problems: [] } as const;

/** Routes about the server itself and its pictures, for the document. */
export const SERVER_OPERATIONS = {
  health: {
    ...probe,
    id: "health",
    path: "/healthz",
    summary: "Whether the process lives",
    answers: { 200: { description: "It does.", schema: z.object({ status: z.literal("ok") }) } },
  },
  ready: {
    ...probe,
    id: "ready",
    path: "/readyz",
    summary: "Whether it takes work",
    answers: {
      200: { description: "It does.", schema: z.object({ status: z.literal("ready") }) },
      503: {
        description: "It stops, or its store is away.",
        schema: z.object({ status: z.literal("not ready"), reason: z.string() }),
      },
    },
  },
  metrics: {
    ...probe,
    access: "operator",
    id: "metrics",
    path: "/metrics",
    summary: "Figures for Prometheus",
    description: "For METRICS_TOKEN and administrators; without that token for this machine.",
    answers: { 200: { description: "Text of version 0.0.4.", schema: z.string(), contentType: "text/plain" } },
  },
  document: {
    ...probe,
    id: "document",
    path: "/openapi.json",
    summary: "This document",
    answers: { 200: { description: "OpenAPI 3.1.", schema: z.looseObject({ openapi: z.literal("3.1.0") }) } },
  },
} as const satisfies Readonly<Record<string, Operation>>;
