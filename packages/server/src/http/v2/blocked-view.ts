import { NODE_REASONS, type V2Blocked } from "@genai/protocol";
import type { BlockingReasons } from "../fleet-readings.ts";

/** Why nothing in the fleet can run a task, in codes and words. */
export function blockedView(reasons: BlockingReasons | null): V2Blocked | null {
  if (reasons === null) return null;
  const counted = [...reasons]
    .map(([code, nodes]) => ({ code, message: NODE_REASONS[code], nodes }))
    .sort((a, b) => b.nodes - a.nodes || (a.code < b.code ? -1 : 1));
  if (counted.length === 0) return { message: "No node is connected; it waits for one.", reasons: [] };
  const told = counted.map(({ message, nodes }) => `${nodes === 1 ? "one node" : `each of ${nodes} nodes`} ${message}`);
  return { message: `Nobody can run it as things are: ${told.join("; ")}.`, reasons: counted };
}
