import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { WebSocket } from "ws";
import { scriptReady } from "../support/script.ts";

/** Handshakes that are under way at once. */
const AT_ONCE = 100;
const HEARTBEAT_MS = 10_000;

// Nodes that join and have nothing to do, in a process and on a loopback address of their own.
const [port = "0", protocol = "1", count = "100", first = "0", address = "127.0.0.1"] = process.argv.slice(2);

async function join(index: number): Promise<void> {
  // A legacy node offers compression; it is the ws library's default.
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, {
    localAddress: address,
    perMessageDeflate: protocol === "1",
  });
  await once(socket, "open");
  if (protocol === "1") {
    const metadata = { models: ["sd15.safetensors"], gpu_type: "RTX 3090", ncpu: 16, ram: 64e9 };
    socket.send(JSON.stringify({ type: "register", node_id: `bench-node-${index}`, metadata }));
    return;
  }
  const capabilities = { engine: "test", pipelines: ["standard"], models: ["sd15.safetensors"], gpuType: "RTX 3090" };
  const identity = { protocol: 2, nodeId: `bench-node-${index}`, bootId: "bench" };
  socket.send(JSON.stringify({ type: "register", ...identity, capabilities, slots: 1, held: [] }));
  await once(socket, "message");
  void beat(socket);
}

async function beat(socket: WebSocket): Promise<void> {
  for (let seq = 0; socket.readyState === WebSocket.OPEN; seq++) {
    // ± 10 %, and the first at any time of it: nodes that joined together do not beat together.
    await setTimeout(HEARTBEAT_MS * (seq === 0 ? Math.random() : 0.9 + 0.2 * Math.random()));
    socket.send(JSON.stringify({ type: "heartbeat", seq, free: 1, running: [] }));
  }
}

for (let from = 0; from < Number(count); from += AT_ONCE) {
  const some = Math.min(AT_ONCE, Number(count) - from);
  await Promise.all(Array.from({ length: some }, (_, n) => join(Number(first) + from + n)));
}
scriptReady();
