import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { WebSocket } from "ws";
import { noisePicture } from "../support/noise-picture.ts";
import { scriptReady } from "../support/script.ts";

// Nodes that answer each task with one picture: legacy ones by a data URL, those of protocol 2 by an upload.
const [port = "0", protocol = "1", count = "10", slots = "1", bytes = "5000000"] = process.argv.slice(2);

/** Pictures differ in their last bytes: enough for hashes to tell them apart, and cheap to make. */
const picture = noisePicture(Number(bytes));
const agent = new Agent({ keepAlive: true });

function nextPicture(): Buffer {
  picture.write(randomUUID(), picture.length - 36, "latin1");
  return picture;
}

async function join(index: number): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
  await once(socket, "open");
  if (protocol === "1") {
    socket.on("message", (data) => {
      const { taskId } = JSON.parse(String(data)) as { taskId: string };
      const resultsUrl = [`data:image/png;base64,${nextPicture().toString("base64")}`];
      socket.send(JSON.stringify({ type: "result", status: "ready", taskId, resultsUrl }));
    });
    socket.send(JSON.stringify({ type: "register", node_id: `bench-node-${index}`, metadata: {} }));
    return;
  }
  const identity = { protocol: 2, nodeId: `bench-node-${index}`, bootId: "bench" };
  const capabilities = { engine: "test", pipelines: ["standard"] };
  socket.send(JSON.stringify({ type: "register", ...identity, capabilities, slots: Number(slots), held: [] }));
  await once(socket, "message");
  socket.on("message", (data) => {
    const frame = JSON.parse(String(data)) as { type: string; attemptId: string; uploadUrl: string };
    if (frame.type === "task") void answer(socket, frame.attemptId, frame.uploadUrl);
  });
}

async function answer(socket: WebSocket, attemptId: string, uploadUrl: string): Promise<void> {
  socket.send(JSON.stringify({ type: "accepted", attemptId }));
  // A copy: others are made while this one is on its way.
  const body = Buffer.from(nextPicture());
  const put = request(uploadUrl.replace("{n}", "0"), {
    agent,
    method: "PUT",
    headers: { "content-type": "image/png", "content-length": body.length },
  });
  put.end(body);
  const [response] = await once(put, "response");
  response.resume();
  await once(response, "end");
  if (response.statusCode !== 201) throw new Error(`An upload was answered with ${response.statusCode}.`);
  const sha256 = createHash("sha256").update(body).digest("hex");
  const artifacts = [{ sha256, bytes: body.length, mime: "image/png" }];
  socket.send(JSON.stringify({ type: "result", attemptId, artifacts, metrics: {} }));
}

await Promise.all(Array.from({ length: Number(count) }, (_, index) => join(index)));
scriptReady();
