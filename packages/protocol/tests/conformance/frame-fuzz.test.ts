import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { expect, test } from "@jest/globals";
import { fuzzFrames, RawSocket } from "../../src/conformance.ts";

test("a connection on which the server reads on and answers nothing is given up", async () => {
  const server = createServer();
  const sockets = new Set<Socket>();
  server.on("upgrade", (request, socket: Socket, head) => {
    sockets.add(socket);
    // It takes everything for the body of one long frame.
    RawSocket.accept(socket, String(request.headers["sec-websocket-key"]), head);
    socket.removeAllListeners("data").on("data", () => {});
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const report = await fuzzFrames({ port, frames: 600, seed: 1, giveUpMs: 50 });
  expect(report).toMatchObject({ frames: 600, connections: 3, givenUp: 3, closeCodes: { none: 3 } });
  for (const socket of sockets) socket.destroy();
  server.close();
});

test("a socket that is cut while its last word is on its way is closed all the same", async () => {
  const server = createServer();
  server.on("upgrade", (request, socket: Socket, head) => {
    socket.on("error", () => {});
    RawSocket.accept(socket, String(request.headers["sec-websocket-key"]), head);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const socket = await RawSocket.connect((server.address() as AddressInfo).port);
  socket.socket.end("x");
  socket.cut();
  expect(await socket.closed).toBeNull();
  server.closeAllConnections();
  server.close();
});
