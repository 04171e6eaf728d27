import type { NodeInfo__Output } from "@genai/protocol/scaler";

export const NODE_HEAD = ["ID", "PLATFORM", "BACKEND", "IMAGE", "STATE", "PRICE/H", "AGE"] as const;

/** A node as a row under {@link NODE_HEAD}. */
export function nodeRow(node: NodeInfo__Output, nowMs: number): readonly string[] {
  const exit = node.exitCode === undefined ? "" : ` (${node.exitCode})`;
  return [
    node.nodeId,
    node.platform,
    node.backend,
    node.image,
    `${stateWord(node)}${exit}`,
    node.pricePerHour === 0 ? "-" : `$${node.pricePerHour.toFixed(3)}`,
    node.createdAt ? age(nowMs - Number(node.createdAt.seconds) * 1000) : "-",
  ];
}

/** A node as JSON says it: plain words and RFC 3339 instants. */
export function nodeJson(node: NodeInfo__Output): object {
  const createdAtMs = node.createdAt ? Number(node.createdAt.seconds) * 1000 + node.createdAt.nanos / 1e6 : null;
  return {
    nodeId: node.nodeId,
    platform: node.platform,
    backend: node.backend,
    image: node.image,
    state: stateWord(node),
    createdAt: createdAtMs === null ? null : new Date(createdAtMs).toISOString(),
    pricePerHour: node.pricePerHour,
    labels: node.labels,
    gpu: node.gpu,
    idempotencyKey: node.idempotencyKey,
    message: node.message,
    exitCode: node.exitCode ?? null,
    lastLogLines: node.lastLogLines,
  };
}

export function stateWord(node: NodeInfo__Output): string {
  return node.state.replace("NODE_STATE_", "").toLowerCase();
}

function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
