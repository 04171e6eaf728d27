import { once } from "node:events";
import { createServer, request } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { handshake } from "@genai/protocol/conformance";
import { expect, test } from "@jest/globals";
import { pino } from "pino";
import { isLoopback } from "../../src/http/is-loopback.ts";
import { ignoreOffer } from "../../src/sessions/ignore-offer.ts";
import { nodeKeyAuthentication, sharedTokenAuthentication } from "../../src/sessions/node-authentication.ts";
import { UnregisteredSockets } from "../../src/sessions/unregistered-sockets.ts";
import { RealServer } from "../support/real-server.ts";
import { setup } from "./support/setup.ts";

const TOKEN = "join-token-of-a-test";
const logger = { warn: () => {} };
const withToken = { authenticate: sharedTokenAuthentication({ token: TOKEN, anywhereWithoutToken: false, logger }) };

/** The answer to an upgrade request: 101, or a refusal with its body. */
async function upgrade(
  port: number,
  { path = "/", headers = {} }: { readonly path?: string; readonly headers?: Record<string, string> } = {},
): Promise<{ status: number; body: string; retryAfter: string | undefined }> {
  return await new Promise((resolve, reject) => {
    const outgoing = request({
      port,
      path,
      host: "127.0.0.1",
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        ...headers,
      },
    });
    outgoing.on("upgrade", (answer, socket) => {
      socket.destroy();
      resolve({ status: answer.statusCode ?? 0, body: "", retryAfter: undefined });
    });
    outgoing.on("response", (answer) => {
      let body = "";
      answer.on("data", (chunk) => {
        body += String(chunk);
      });
      answer.on("end", () =>
        resolve({ status: answer.statusCode ?? 0, body, retryAfter: answer.headers["retry-after"] }),
      );
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

test.each([
  ["no token", 401, {}],
  ["a wrong bearer token", 401, { headers: { Authorization: "Bearer wrong" } }],
  ["a wrong token in the URL", 401, { path: "/?token=wrong" }],
  ["an empty token", 401, { path: "/?token=" }],
  ["the right bearer token", 101, { headers: { Authorization: `Bearer ${TOKEN}` } }],
  ["the right token in the URL", 101, { path: `/?token=${TOKEN}` }],
])("where a join token is configured an upgrade with %s gets %i", async (_name, status, options) => {
  await using gateway = await setup(withToken);
  const answer = await upgrade(gateway.port, options);
  expect(answer.status).toBe(status);
  if (status === 401) expect(JSON.parse(answer.body)).toMatchObject({ ok: false, error: expect.any(String) });
  expect(gateway.events.all).toEqual([]);
});

test("without a join token any node of this machine may join, but no web page", async () => {
  await using gateway = await setup();
  expect((await upgrade(gateway.port)).status).toBe(101);
  expect((await upgrade(gateway.port, { headers: { Origin: "https://evil.example" } })).status).toBe(403);
  expect((await upgrade(gateway.port, { headers: { Origin: "null" } })).status).toBe(403);
  expect((await upgrade(gateway.port, { headers: { Origin: `http://127.0.0.1:${gateway.port}` } })).status).toBe(101);
});

test("without a join token nodes of other machines are refused, unless that is configured", async () => {
  const request = { headers: {}, url: "/", socket: { remoteAddress: "192.0.2.7" } } as never;
  const warned: string[] = [];
  const logger = pino({}, { write: (line) => warned.push(JSON.parse(line).msg) });
  const closed = sharedTokenAuthentication({ token: null, anywhereWithoutToken: false, logger });
  for (const _knock of [1, 2]) expect(await closed(request)).toMatchObject({ ok: false, status: 401 });
  expect(warned).toEqual([expect.stringContaining("set NODE_TOKEN, or NODES_WITHOUT_TOKEN")]);
  const open = sharedTokenAuthentication({ token: null, anywhereWithoutToken: true, logger });
  expect(await open(request)).toMatchObject({ ok: true });
});

test.each([
  ["forwarded", "for=192.0.2.7"],
  ["x-forwarded-for", "127.0.0.1"],
  ["x-real-ip", "192.0.2.7"],
  ["via", "1.1 proxy"],
])("without a join token nobody joins through a proxy on this machine, told by its %s", async (name, value) => {
  const warned: string[] = [];
  const logger = pino({}, { write: (line) => warned.push(JSON.parse(line).msg) });
  await using gateway = await setup({
    authenticate: sharedTokenAuthentication({ token: null, anywhereWithoutToken: false, logger }),
  });
  for (const _knock of [1, 2]) {
    const answer = await upgrade(gateway.port, { headers: { [name]: value } });
    expect(answer.status).toBe(401);
    expect(answer.body).toContain("not through a proxy");
  }
  expect(warned).toEqual([expect.stringContaining("set NODE_TOKEN")]);
  await using open = await setup({
    authenticate: sharedTokenAuthentication({ token: null, anywhereWithoutToken: true, logger }),
  });
  expect((await upgrade(open.port, { headers: { [name]: value } })).status).toBe(101);
  await using closed = await setup(withToken);
  const bearer = { Authorization: `Bearer ${TOKEN}` };
  expect((await upgrade(closed.port, { headers: { ...bearer, [name]: value } })).status).toBe(101);
});

test.each(["/v1/tasks/", "/ws", "/v2/nodes?x=1", "//"])("an upgrade on %s is answered 404", async (path) => {
  await using gateway = await setup();
  const answer = await upgrade(gateway.port, { path });
  expect(answer.status).toBe(404);
  expect(JSON.parse(answer.body)).toEqual({ ok: false, error: "nodes connect on path /" });
});

test.each([
  ["a version of WebSocket that is unknown", { "Sec-WebSocket-Version": "7" }, 400],
  ["a broken key", { "Sec-WebSocket-Key": "x" }, 400],
])("an upgrade to %s is refused", async (_name, headers, status) => {
  await using gateway = await setup();
  expect((await upgrade(gateway.port, { headers: headers as unknown as Record<string, string> })).status).toBe(status);
});

test("a call that offers another protocol is served as if it offered none, as often as it comes", async () => {
  await using server = await RealServer.start();
  const body = JSON.stringify({ token: "ann", standardPipeline: { prompt: "ein Füchslein" } });
  const offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n";
  const length = `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  const socket = connect(server.port, "127.0.0.1").setEncoding("utf8");
  const answer = async (): Promise<string> => String(await once(socket, "data"));
  for (let n = 0; n < 20; n += 1) {
    // Its body comes with the head, or when the server has read that and asks for it.
    const asked = n % 2 === 0;
    socket.write(
      `POST /v1/tasks/ HTTP/1.1\r\nHost: x\r\n${length}${offer}${asked ? "Expect: 100-continue\r\n" : ""}\r\n`,
    );
    if (asked) expect(await answer()).toMatch(/^HTTP\/1.1 100 Continue\r\n/);
    socket.write(body);
    expect(await answer()).toMatch(/^HTTP\/1.1 201 Created\r\n/);
  }
  socket.write(`GET /v1/client/hello/ HTTP/1.1\r\nHost: x\r\n${offer}\r\n`);
  expect(await answer()).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  socket.destroy();
});

test("a connection that offers another protocol again and again keeps no more listeners each time", async () => {
  const http = createServer((_request, response) => response.end("ok")).listen(0, "127.0.0.1");
  http.on("upgrade", (request, socket, head) => ignoreOffer(http, request, socket as Socket, head));
  await once(http, "listening");
  const counts = new Set<number>();
  http.on("request", ({ socket }) => {
    counts.add(socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0));
  });
  const socket = connect((http.address() as AddressInfo).port, "127.0.0.1");
  for (let n = 0; n < 20; n += 1) {
    socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    await once(socket, "data");
  }
  socket.destroy();
  http.close();
  await once(http, "close");
  expect(counts.size).toBeLessThanOrEqual(2);
});

test("a node that can't be authenticated at present is asked to come back", async () => {
  await using gateway = await setup({ authenticate: () => Promise.reject(new Error("the store is away")) });
  expect(await upgrade(gateway.port)).toMatchObject({ status: 503, retryAfter: "2" });
});

test("a peer that is gone while its token is checked harms nobody", async () => {
  let answer = (): void => {};
  const asked = new Promise<void>((resolve) => {
    answer = resolve;
  });
  let release = (): void => {};
  await using gateway = await setup({
    authenticate: () => {
      answer();
      return new Promise((resolve) => {
        release = () => resolve({ ok: true, credential: "x" });
      });
    },
  });
  const socket = connect(gateway.port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(handshake(gateway.port));
  await asked;
  socket.resetAndDestroy();
  // By the answer to another request the server has seen the reset.
  expect((await fetch(`${gateway.httpUrl}/nothing`)).status).toBe(404);
  release();
  expect((await fetch(`${gateway.httpUrl}/nothing`)).status).toBe(404);
});

test("sockets that have not registered are capped in all, and room comes back when they end or register", async () => {
  await using gateway = await setup({ limits: { unregisteredMax: 3 } });
  const [first, second] = [await gateway.connect(), await gateway.connect()];
  await gateway.connect();
  expect(await upgrade(gateway.port)).toMatchObject({ status: 503, retryAfter: "10" });
  first.say({ type: "register", node_id: "n", metadata: {} });
  await gateway.events.next("nodeJoined");
  await gateway.connect();
  expect((await upgrade(gateway.port)).status).toBe(503);
  second.close();
  await second.closed;
  await gateway.connect();
});

test("sockets of one address that have not registered are capped, but for loopback", () => {
  const sockets = new UnregisteredSockets(100, 20_000);
  const leave = Array.from({ length: 100 }, () => sockets.enter("192.0.2.7"));
  expect(sockets.hasRoom("192.0.2.7")).toBe(false);
  expect(sockets.hasRoom("192.0.2.8")).toBe(true);
  leave[0]?.();
  leave[0]?.();
  expect(sockets.hasRoom("192.0.2.7")).toBe(true);
  expect(sockets.count).toBe(99);
  for (let i = 0; i < 1_000; i++) sockets.enter("::ffff:127.0.0.1");
  expect(sockets.hasRoom("::ffff:127.0.0.1")).toBe(true);
});

test.each([
  ["127.0.0.1", true],
  ["::ffff:127.8.8.8", true],
  ["::1", true],
  ["::ffff:10.0.0.1", false],
  ["128.127.0.1", false],
  [undefined, false],
])("%s is loopback: %s", (address, expected) => {
  expect(isLoopback(address)).toBe(expected);
});

test("a node whose key is revoked stays out of a server that needs no token", async () => {
  const shared = sharedTokenAuthentication({ token: null, anywhereWithoutToken: false, logger });
  const authenticate = nodeKeyAuthentication({ nodeOf: () => null, nodeHasKey: () => false }, shared);
  await using bundle = await setup({ authenticate });
  const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });
  expect(await upgrade(bundle.port, bearer("genai_nk_revoked"))).toMatchObject({ status: 401 });
  expect(await upgrade(bundle.port, bearer("any-other"))).toMatchObject({ status: 101 });
  expect(await upgrade(bundle.port)).toMatchObject({ status: 101 });
});
