import { once } from "node:events";
import { WebSocket } from "ws";

/** The result of every task of {@link connectLegacyNodes}: a URL of so many characters. */
export function resultUrl(resultBytes: number): string {
  return `https://pictures.example/${"p".repeat(Math.max(0, resultBytes - 25))}`;
}

/** Nodes that speak v1 and answer each task at once. Runs in the caller's process; returns their end. */
export async function connectLegacyNodes(port: number, count: number, resultBytes: number): Promise<() => void> {
  const url = resultUrl(resultBytes);
  const sockets = Array.from({ length: count }, (_, index) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
    socket.on("open", () => {
      socket.send(JSON.stringify({ type: "register", node_id: `bench-node-${index}`, metadata: { models: [] } }));
    });
    socket.on("message", (data) => {
      const { taskId } = JSON.parse(String(data)) as { taskId?: string };
      if (taskId !== undefined) {
        socket.send(JSON.stringify({ type: "result", status: "ready", taskId, resultsUrl: [url] }));
      }
    });
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, "open")));
  return () => {
    for (const socket of sockets) socket.terminate();
  };
}
