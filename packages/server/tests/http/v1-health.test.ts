import { expect, test } from "@jest/globals";
import { TestHttpServer } from "../support/http-server.ts";
import { rawHttp } from "../support/raw-http.ts";

test.each(["GET", "POST"])("%s hello tells the WebSocket URL, with and without the trailing slash", async (method) => {
  await using server = await TestHttpServer.start({ enforced: true });
  for (const path of ["/v1/client/hello", "/v1/client/hello/"]) {
    const answer = await rawHttp(method, `${server.url}${path}`);
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({ ok: true, url: `ws://127.0.0.1:${server.port}/` });
  }
});

test("hello tells the public URL where one is configured", async () => {
  await using server = await TestHttpServer.start({ settings: { publicUrl: "https://genai.example/" } });
  expect((await rawHttp("GET", `${server.url}/v1/client/hello/`)).json().url).toBe("wss://genai.example/");
});

test("a Host header that is no host is not echoed", async () => {
  await using server = await TestHttpServer.start();
  const answer = await rawHttp("GET", `${server.url}/v1/client/hello/`, { headers: { host: "evil/../<script>" } });
  expect(answer.json().url).toBe(`ws://127.0.0.1:${server.port}/`);
});

test("health is 500 without a node and 200 with one", async () => {
  await using server = await TestHttpServer.start({ enforced: true });
  const paths = ["/v1/nodes/health", "/v1/nodes/health/"];
  for (const path of paths) {
    const sick = await rawHttp("GET", `${server.url}${path}`);
    expect(sick.status).toBe(500);
    expect(sick.json()).toEqual({ ok: false, status: "error", availableNodesCount: 0 });
  }
  for (const providerId of ["n1", "n2"]) server.fleet.add({ providerId });
  for (const path of paths) {
    const well = await rawHttp("GET", `${server.url}${path}`);
    expect(well.status).toBe(200);
    expect(well.json()).toEqual({ ok: true, status: "ok", availableNodesCount: 2 });
  }
});

test("the probes say whether the process lives and whether it takes work", async () => {
  await using server = await TestHttpServer.start();
  expect((await rawHttp("GET", `${server.url}/healthz`)).status).toBe(200);
  expect((await rawHttp("GET", `${server.url}/readyz`)).status).toBe(200);
  server.tasks.storeIsAway = true;
  expect((await rawHttp("GET", `${server.url}/healthz`)).status).toBe(200);
  expect((await rawHttp("GET", `${server.url}/readyz`)).json()).toEqual({
    status: "not ready",
    reason: "the store is away",
  });
});

test("an unknown address and a wrong method are refused in v1's form", async () => {
  await using server = await TestHttpServer.start();
  const unknown = await rawHttp("GET", `${server.url}/v1/nothing/here`);
  expect(unknown.status).toBe(404);
  expect(unknown.json()).toEqual({ ok: false, error: expect.any(String) });
  const wrong = await rawHttp("DELETE", `${server.url}/v1/tasks/`);
  expect(wrong.status).toBe(405);
  expect(wrong.headers.allow).toBe("GET, POST");
});
