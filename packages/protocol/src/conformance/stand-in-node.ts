import { createHash } from "node:crypto";
import { type ServerFrame, TaskFrame } from "../protocol-2/server-frames.ts";
import { RawSocket } from "./raw-socket.ts";

/** A picture as small as a PNG can be. */
export const PICTURE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

/** The register of a node that takes everything. */
export function registerOf(nodeId: string, more: object = {}): object {
  const capabilities = { engine: "test", pipelines: ["standard", "comfy"] };
  return { type: "register", protocol: 2, nodeId, bootId: "boot-1", capabilities, slots: 1, held: [], ...more };
}

/** How a result describes {@link PICTURE}. */
export function resultOf(attemptId: string): object {
  const sha256 = createHash("sha256").update(PICTURE).digest("hex");
  return { type: "result", attemptId, artifacts: [{ sha256, bytes: PICTURE.length, mime: "image/png" }] };
}

/** Connects and registers; resolves with the socket and what it was answered. */
export async function joinAs(
  port: number,
  nodeId: string,
  more: object = {},
): Promise<{ readonly socket: RawSocket; readonly registered: Record<string, unknown> }> {
  const socket = await RawSocket.connect(port);
  socket.say(registerOf(nodeId, more));
  return { socket, registered: await socket.next() };
}

export async function nextTask(socket: RawSocket): Promise<TaskFrame> {
  return TaskFrame.parse(await socket.nextOf("task"));
}

/** Puts {@link PICTURE} where a task's upload URL says; the status of the answer. */
export async function uploadFor({ uploadUrl }: Pick<TaskFrame, "uploadUrl">): Promise<number> {
  const url = uploadUrl.replace("{n}", "0");
  const answer = await fetch(url, {
    method: "PUT",
    body: new Uint8Array(PICTURE),
    headers: { "content-type": "image/png" },
  });
  await answer.arrayBuffer();
  return answer.status;
}

/** The verdict of the next ack for an attempt. */
export async function verdictOf(socket: RawSocket, attemptId: string): Promise<unknown> {
  for (;;) {
    const frame = (await socket.nextOf("ack" satisfies ServerFrame["type"])) as {
      attemptId?: unknown;
      verdict?: unknown;
    };
    if (frame.attemptId === attemptId) return frame.verdict;
  }
}
