import { once } from "node:events";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import { TestHttpServer } from "../support/http-server.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";

const FOX = { standardPipeline: { prompt: "a fox" } };

test("a body over the limit is 413", async () => {
  await using server = await TestHttpServer.start({ settings: { bodyBytesMax: 1_000 } });
  const answer = await postJson(`${server.url}/v1/tasks/`, { standardPipeline: { prompt: "a".repeat(1_000) } });
  expect(answer.status).toBe(413);
  expect(answer.json()).toEqual({ ok: false, error: expect.stringContaining("1000") });
});

test("an announced length over the limit is refused before the body comes", async () => {
  await using server = await TestHttpServer.start();
  const socket = connect(server.port, "127.0.0.1");
  socket.write('POST /v1/tasks/ HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n{"a":');
  const [head] = await once(socket, "data");
  expect(String(head)).toMatch(/^HTTP\/1\.1 413 /);
  socket.destroy();
});

test("an endless body is refused at the limit and cut off", async () => {
  await using server = await TestHttpServer.start({ settings: { bodyBytesMax: 100_000 } });
  const socket = connect(server.port, "127.0.0.1");
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  const closed = new Promise((resolve) => {
    socket.on("close", resolve);
    socket.on("error", resolve);
  });
  socket.write("POST /v1/tasks/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const chunk = `2710\r\n${" ".repeat(10_000)}\r\n`;
  let sentBytes = 0;
  const pump = (): void => {
    while (socket.writable && socket.write(chunk)) sentBytes += chunk.length;
  };
  socket.on("drain", pump);
  pump();
  await closed;
  expect(received).toMatch(/^HTTP\/1\.1 413 /);
  // The kernel's own buffers take some megabytes; without the cut this would never end.
  expect(sentBytes).toBeLessThan(50_000_000);
});

test("a small body that inflates over the limit is 413", async () => {
  await using server = await TestHttpServer.start({ settings: { bodyBytesMax: 10_000 } });
  const answer = await rawHttp("POST", `${server.url}/v1/tasks/`, {
    headers: { "content-encoding": "gzip" },
    body: gzipSync(JSON.stringify({ standardPipeline: { prompt: "a".repeat(100_000) } })),
  });
  expect(answer.status).toBe(413);
});

test("a connection whose body was refused within bounds serves the next request", async () => {
  await using server = await TestHttpServer.start({ settings: { bodyBytesMax: 1_000 } });
  const socket = connect(server.port, "127.0.0.1");
  socket.write(`POST /v1/tasks/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1500\r\n\r\n${" ".repeat(1_500)}`);
  const [refused] = await once(socket, "data");
  socket.write("GET /v1/client/hello/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const [served] = await once(socket, "data");
  expect([String(refused).slice(0, 12), String(served).slice(0, 12)]).toEqual(["HTTP/1.1 413", "HTTP/1.1 200"]);
  socket.destroy();
});

test("while the store is away calls are 503 with Retry-After", async () => {
  await using server = await TestHttpServer.start();
  server.tasks.storeIsAway = true;
  const answers = [
    await postJson(`${server.url}/v1/tasks/`, FOX),
    await rawHttp("GET", `${server.url}/v1/tasks/`),
    await rawHttp("GET", `${server.url}/v1/tasks/01890000-0000-7000-8000-000000000001`),
  ];
  for (const answer of answers) {
    expect(answer.status).toBe(503);
    expect(answer.json()).toEqual({ ok: false, error: expect.any(String) });
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
  }
});

test("a full queue is 429 with Retry-After", async () => {
  await using server = await TestHttpServer.start();
  server.tasks.outcome = { type: "queue_full", message: "10000 tasks wait already", retryAfterMs: 12_345 };
  const answer = await postJson(`${server.url}/v1/tasks/`, FOX);
  expect(answer.status).toBe(429);
  expect(answer.json()).toEqual({ ok: false, error: "10000 tasks wait already" });
  expect(answer.headers["retry-after"]).toBe("13");
});

test("creations are limited by user, reads by a limit of their own, the anonymous loopback caller by none", async () => {
  await using server = await TestHttpServer.start({ settings: { creationsPerMinute: 3, readsPerMinute: 4 } });
  const create = async (token: string) => (await postJson(`${server.url}/v1/tasks/`, FOX, { token })).status;
  expect([await create("ann"), await create("ann"), await create("ann"), await create("ann")]).toEqual([
    201, 201, 201, 429,
  ]);
  expect(await create("bob")).toBe(201);
  const reads = [];
  for (let count = 0; count < 5; count += 1) {
    reads.push(await rawHttp("GET", `${server.url}/v1/tasks/`, { headers: { token: "ann" } }));
  }
  expect(reads.map((answer) => answer.status)).toEqual([200, 200, 200, 200, 429]);
  expect(Number(reads[4]?.headers["retry-after"])).toBeGreaterThan(0);
  for (let count = 0; count < 6; count += 1) expect(await create("")).toBe(201);
});

test("a repeated Idempotency-Key gives the same task; with another body it is 422", async () => {
  await using server = await TestHttpServer.start();
  const headers = { "idempotency-key": "k1" };
  const first = await postJson(`${server.url}/v1/tasks/`, { ...FOX, token: "ann" }, headers);
  const second = await postJson(`${server.url}/v1/tasks/`, { token: "ann", ...FOX }, headers);
  expect(second.status).toBe(201);
  expect(second.json().task_id).toBe(first.json().task_id);
  const other = await postJson(
    `${server.url}/v1/tasks/`,
    { token: "ann", standardPipeline: { prompt: "a cat" } },
    headers,
  );
  expect(other.status).toBe(422);
  expect(server.tasks.submitted).toHaveLength(1);
});

test("preflights allow what clients send, and answers may be read from any origin", async () => {
  await using server = await TestHttpServer.start({ enforced: true });
  const preflight = await rawHttp("OPTIONS", `${server.url}/v1/tasks/`, {
    headers: {
      origin: "https://app.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "token, authorization, content-type, idempotency-key",
    },
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers["access-control-allow-origin"]).toBe("*");
  const allowed = String(preflight.headers["access-control-allow-headers"]).split(", ");
  expect(allowed).toEqual(expect.arrayContaining(["token", "authorization", "content-type", "idempotency-key"]));
  expect(preflight.headers["access-control-allow-methods"]).toContain("POST");

  const answer = await rawHttp("GET", `${server.url}/v1/nodes/health/`, { headers: { origin: "https://app.example" } });
  expect(answer.headers["access-control-allow-origin"]).toBe("*");
  expect(answer.headers["cross-origin-resource-policy"]).toBe("cross-origin");
  expect(answer.headers["strict-transport-security"]).toBeUndefined();
  expect(answer.headers["x-powered-by"]).toBeUndefined();
  expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
});
