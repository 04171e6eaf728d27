import { V2Node } from "@genai/protocol";
import { expect, test } from "@jest/globals";
import { ADMIN_KEY, TestHttpServer } from "../support/http-server.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";

test("nodes are listed with what they offer and how they stand", async () => {
  await using server = await TestHttpServer.start();
  server.fleet.add({ providerId: "idle", models: ["sd15.safetensors"], warmModel: "sd15" });
  server.fleet.add({ providerId: "busy" }, { running: 1, freeSlots: 0 });
  server.fleet.add({ providerId: "resting" }, { restsForMs: 1_234.5, freeSlots: 0 });
  server.fleet.add({ providerId: "starting", ready: false });
  server.fleet.add({ providerId: "gone" }, { online: false, connectedAtMs: null });
  const { nodes } = (await rawHttp("GET", `${server.url}/v2/nodes`)).json() as { nodes: unknown[] };
  const parsed = nodes.map((node) => V2Node.parse(node));
  expect(parsed.map((node) => node.state)).toEqual(["idle", "busy", "resting", "starting", "offline"]);
  expect(parsed[2]?.restsForMs).toBe(1_235);
});

test("only an administrator drains a node", async () => {
  await using server = await TestHttpServer.start();
  server.fleet.add({ providerId: "n/1" });
  const url = `${server.url}/v2/nodes/n%2F1`;
  expect((await rawHttp("POST", `${url}/drain`)).json().code).toBe("forbidden");
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  expect((await rawHttp("POST", `${url}/drain`, { headers })).json().state).toBe("draining");
  expect((await rawHttp("POST", `${url}/undrain`, { headers })).json().state).toBe("idle");
  expect((await rawHttp("POST", `${server.url}/v2/nodes/x/drain`, { headers })).json().code).toBe("node_not_found");
});

test("models are counted by node, one spelling or another, and it is said where they are warm", async () => {
  await using server = await TestHttpServer.start();
  server.fleet.add({ providerId: "a", models: ["sd15.safetensors", "xl"], warmModel: "SD15" });
  server.fleet.add({ providerId: "b", models: ["checkpoints/SD15.safetensors"] });
  server.fleet.add({ providerId: "c" });
  server.fleet.add({ providerId: "d", models: ["xl"] }, { online: false });
  expect((await rawHttp("GET", `${server.url}/v2/models`)).json()).toEqual({
    models: [
      { name: "sd15.safetensors", nodes: 2, warmOn: ["a"] },
      { name: "xl", nodes: 1, warmOn: [] },
    ],
    nodesOfferingAll: 1,
  });
});

test("usage is one's own; an administrator may ask for another's", async () => {
  await using server = await TestHttpServer.start();
  const pipeline = { type: "standard", prompt: "a fox" };
  await postJson(`${server.url}/v2/tasks`, { pipeline });
  const own = await rawHttp("GET", `${server.url}/v2/usage`);
  expect(own.json()).toMatchObject({ userId: "anonymous", tasks: { queued: 1 }, gpuMs: 0, cost: 0 });
  const foreign = `${server.url}/v2/usage?user=anonymous`;
  expect((await rawHttp("GET", foreign, { headers: { token: "bob" } })).json().code).toBe("forbidden");
  const seen = await rawHttp("GET", foreign, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
  expect(seen.json()).toMatchObject({ userId: "anonymous", tasks: { queued: 1 } });
});
