import { readdirSync } from "node:fs";
import { join } from "node:path";
import { freePort, until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { Service } from "./support/service.ts";

/** A server that tells nodes to upload where nobody listens, and a node that has finished a task there. */
async function setup() {
  const origin = `http://127.0.0.1:${await freePort()}`;
  const service = await Service.start({ nodes: 0, env: { PUBLIC_URL: origin } });
  const home = join(service.home, "the-node");
  const start = () => service.startNode(["--home", home, "--node-id", "gpu-7"]);
  const node = start();
  await service.nodesOnline(1);
  const created = await service.post("/v2/tasks", { pipeline: { type: "standard", prompt: "a fox", steps: 2 } });
  const { id } = (await created.json()) as { id: string };
  await until("the upload fails", () => node.output.includes("an upload failed"));
  return {
    service,
    node,
    start,
    path: `/v2/tasks/${id}`,
    origin,
    spooled: () => readdirSync(join(home, "spool")).length,
    state: async () => ((await (await service.get(`/v2/tasks/${id}`)).json()) as { state: string }).state,
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

test("a node that was told a wrong PUBLIC_URL brings its result once the server has the right one", async () => {
  await using bundle = await setup();
  const { service, node, origin, state, spooled } = bundle;
  expect(await state()).toBe("running");
  await service.server.end();
  await service.startServer({ PUBLIC_URL: service.url });
  await until("the task has succeeded", async () => (await state()) === "succeeded", 30_000);
  await until("the spool is empty", () => spooled() === 0);
  expect(node.output).toContain(`"host":"${origin}","reason":"ECONNREFUSED"`);
  expect(node.output).not.toContain("signature");
}, 90_000);

test("a node whose attempt is closed while it can't upload forgets it, and takes the next task", async () => {
  await using bundle = await setup();
  const { service, node, path, start, state, spooled } = bundle;
  await node.end("SIGKILL");
  expect((await service.post(`${path}/cancel`, {})).status).toBe(200);
  expect(await state()).toBe("canceled");
  const later = start();
  await until("the spool is empty", () => spooled() === 0, 30_000);
  await service.post("/v2/tasks", { pipeline: { type: "standard", prompt: "another fox", steps: 2 } });
  await until("the next task is run", () => later.output.includes("attempt succeeded"));
}, 90_000);
