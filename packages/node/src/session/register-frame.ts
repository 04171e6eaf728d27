import type { Capabilities, CapabilitiesFrame, HeldAttempt, RegisterFrame } from "@genai/protocol";

/** A server reads 64 KiB before it knows who speaks; the rest is for WebSocket's own bytes. */
const REGISTER_BYTES_MAX = 60 * 1_024;
/** 75 bytes each, so that they fit whatever else there is. A node that is alone holds 64 at most, and what nobody acknowledged. */
export const HELD_LISTED_MAX = 500;

/** The frame by which a node introduces itself. Capabilities that are too long for it (thousands of models) are left
 *  out, the node is not ready then, and says them in a frame of their own once it is registered. */
export function registerFrame(
  node: { readonly nodeId: string; readonly bootId: string; readonly slots: number },
  capabilities: Capabilities,
  held: HeldAttempt[],
): { readonly frame: RegisterFrame; readonly whole: boolean } {
  const frame: RegisterFrame = { type: "register", protocol: 2, ...node, capabilities, held };
  if (bytesOf(frame) <= REGISTER_BYTES_MAX) return { frame, whole: true };
  return { frame: { ...frame, capabilities: { ...capabilities, models: [], ready: false } }, whole: false };
}

/** Capabilities that fit a frame of the server's: without the list of node classes where that is too much, and with fewer models where
 *  that is still too much. */
export function capabilitiesFrame(capabilities: Capabilities, bytesMax: number): CapabilitiesFrame {
  let frame: CapabilitiesFrame = { type: "capabilities", capabilities };
  if (bytesOf(frame) <= bytesMax) return frame;
  const rest = withoutNodeClasses(capabilities);
  let { models } = rest;
  do {
    frame = { type: "capabilities", capabilities: { ...rest, models } };
    models = models.slice(0, Math.floor(models.length / 2));
  } while (bytesOf(frame) > bytesMax && frame.capabilities.models.length > 0);
  return frame;
}

/** What is told unasked: the hash of the node classes stands for their list, which can be long. */
export function withoutNodeClasses(capabilities: Capabilities): Capabilities {
  const { nodeClasses: _, ...rest } = capabilities;
  return rest;
}

function bytesOf(frame: object): number {
  return Buffer.byteLength(JSON.stringify(frame));
}
