import { readFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import type { Capabilities } from "@genai/protocol";
import type { FinalFrame } from "./session/node-input.ts";

/** How a node registers with a server of version 1. */
export function v1Register(nodeId: string, { models, gpuType }: Capabilities): unknown {
  return {
    type: "register",
    node_id: nodeId,
    metadata: { models, ...(gpuType === null ? {} : { gpu_type: gpuType }), ncpu: cpus().length, ram: totalmem() },
  };
}

/** An attempt's result or error as version 1 has it, with the pictures in it as data URLs. `pathOf` tells where picture `n` is.
 *  Rejects where one of them can't be read. */
export async function v1Final(final: FinalFrame, pathOf: (n: number) => string): Promise<unknown> {
  const taskId = final.attemptId;
  if (final.type === "error") return { type: "error", status: "error", taskId, error: final.message };
  const resultsUrl: string[] = [];
  for (const [n, { mime }] of final.artifacts.entries()) {
    const bytes = await readFile(pathOf(n));
    resultsUrl.push(`data:${mime};base64,${bytes.toString("base64")}`);
  }
  return { type: "result", status: "ready", taskId, resultsUrl };
}
