import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { cliInProcess } from "./support/cli-in-process.ts";
import { Service } from "./support/service.ts";

async function setup() {
  const service = await Service.start({ nodes: 0, env: { NODE_TOKEN: "shared-join-token-of-a-test" } });
  const cli = (...args: string[]) => cliInProcess(args, { GENAI_SERVER: service.url, GENAI_HOME: service.home });
  const home = join(service.home, "enrolled-node");
  return {
    service,
    cli,
    home,
    start: (token: string) => service.startNode(["--home", home, "--node-id", "gpu-7", "--token", token]),
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

test("check 33: a node process turns its token into a key, comes back by it, works, and is put out when it is revoked", async () => {
  await using bundle = await setup();
  const { service, cli, home } = bundle;
  const made = await cli("nodes", "enroll", "--node-id", "gpu-7", "--hours", "1", "--json");
  const { token } = JSON.parse(made.output) as { token: string };
  expect([made.code, token]).toEqual([0, expect.stringMatching(/^genai_ne_/)]);

  const first = bundle.start(token);
  await service.nodesOnline(1);
  const keyFile = join(home, "node.key");
  expect(readFileSync(keyFile, "utf8").trim()).toMatch(/^genai_nk_[\w-]{43}$/);
  expect(statSync(keyFile).mode & 0o777).toBe(0o600);
  expect((await cli("nodes", "list")).output).toMatch(/\ngpu-7 +idle /);
  await first.end();

  // The token is spent; the key in the node's home lets it in.
  const second = bundle.start(token);
  await service.nodesOnline(1);
  const created = await service.post("/v2/tasks", { pipeline: { type: "standard", prompt: "a fox", steps: 2 } });
  const { id } = (await created.json()) as { id: string };
  expect((await cli("tasks", "watch", id)).code).toBe(0);
  expect((await cli("nodes", "drain", "gpu-7")).output).toBe("gpu-7 draining\n");
  expect((await cli("nodes", "undrain", "gpu-7")).code).toBe(0);

  expect(await cli("nodes", "revoke", "gpu-7")).toEqual({ code: 0, output: "" });
  await until("the revoked node is away", async () => (await service.get("/v1/nodes/health/")).status === 500);
  expect(first.output + second.output).not.toContain(token);
  expect((await cli("nodes", "revoke", "gpu-7")).code).toBe(3);
}, 90_000);

test("a key is made, opens the API as its user, is listed without its secret and ends when it is revoked", async () => {
  await using bundle = await setup();
  const { service, cli } = bundle;
  const flags = "--name till --weight 2 --queued-max 5 --running-max 1 --expires 2099-01-01T00:00:00Z".split(" ");
  const made = await cli("keys", "create", "shop", ...flags, "--json");
  const { key, secret } = JSON.parse(made.output) as { key: { id: string }; secret: string };
  expect([made.code, secret]).toEqual([0, expect.stringMatching(/^genai_sk_/)]);
  const usage = () => fetch(`${service.url}/v2/usage`, { headers: { authorization: `Bearer ${secret}` } });
  expect((await usage()).status).toBe(200);
  const listed = (await cli("keys", "list")).output;
  expect(listed).toMatch(new RegExp(`${key.id} +shop +till +user +2 +until 2099-01-01`));
  expect(listed).not.toContain(secret);
  expect((await cli("keys", "revoke", key.id)).code).toBe(0);
  expect((await usage()).status).toBe(401);
  expect((await cli("keys", "list")).output).toMatch(new RegExp(`${key.id} .*revoked`));
  expect((await cli("keys", "create", "shop", "--weight", "much")).code).not.toBe(0);
}, 60_000);
