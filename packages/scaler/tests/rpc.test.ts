import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeChange__Output, PlanCreateResponse__Output } from "@genai/protocol/scaler";
import { ChannelCredentials, loadPackageDefinition, Metadata, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { expect, test } from "@jest/globals";
import { ScalerError } from "../src/core/scaler-error.ts";
import { MemoryPlatform } from "./support/memory-platform.ts";
import { answerOf, setupScaler } from "./support/scaler-bundle.ts";

test("a node is made, listed and removed", async () => {
  await using bundle = await setupScaler();
  const nodeId = await bundle.create({ labels: { team: "blue" } });
  expect(await bundle.list()).toMatchObject([
    {
      nodeId,
      platform: "memory",
      backend: "ws://127.0.0.1:8080",
      image: "genai/node",
      state: "NODE_STATE_RUNNING",
      labels: { team: "blue" },
      createdAt: { seconds: "1700000000", nanos: 0 },
    },
  ]);
  await bundle.remove(nodeId);
  expect(await bundle.list()).toEqual([]);
});

test("a client made from the old proto alone makes, lists and removes nodes", async () => {
  await using bundle = await setupScaler();
  const folder = mkdtempSync(join(tmpdir(), "old-proto-"));
  const path = join(folder, "scaler.proto");
  writeFileSync(
    path,
    `syntax = "proto3"; package scaler_grpc; import "google/protobuf/empty.proto";
     service Scaler {
       rpc CreateNode(CreateNodeRequest) returns (CreateNodeResponse);
       rpc DeleteNode(DeleteNodeRequest) returns (DeleteNodeResponse);
       rpc ListNodes(google.protobuf.Empty) returns (ListNodesResponse); }
     message CreateNodeRequest { string platform = 1; string backend = 2; string image = 3; string prov_script = 4;
       optional int32 vastai_iid = 5; }
     message CreateNodeResponse { string node_id = 1; }
     message DeleteNodeRequest { string node_id = 1; }
     message DeleteNodeResponse {}
     message NodeInfo { string node_id = 1; string platform = 2; string backend = 3; string image = 4; }
     message ListNodesResponse { repeated NodeInfo nodes = 1; }`,
  );
  // biome-ignore lint/suspicious/noExplicitAny: the old programs are untyped, and this is one
  const old = loadPackageDefinition(loadSync(path, { keepCase: true })) as any;
  const client = new old.scaler_grpc.Scaler(`127.0.0.1:${bundle.port}`, ChannelCredentials.createInsecure());
  try {
    const request = { platform: "memory", backend: "ws://h:1", image: "a/b", prov_script: "x" };
    const { node_id } = await answerOf<{ node_id: string }>((done) => client.CreateNode(request, done));
    const { nodes } = await answerOf<{ nodes: unknown[] }>((done) => client.ListNodes({}, done));
    expect(nodes).toEqual([{ node_id, platform: "memory", backend: "ws://h:1", image: "a/b" }]);
    expect(await answerOf((done) => client.DeleteNode({ node_id }, done))).toEqual({});
  } finally {
    client.close();
    rmSync(folder, { recursive: true });
  }
});

test.each([
  ["an unknown platform", { platform: "moon" }, /^Platform moon is unknown here; there is memory\.$/],
  ["an empty platform", { platform: "" }, /^platform /],
  ["an empty backend", { backend: "" }, /^backend is empty/],
  [
    "a backend that is no WebSocket URL",
    { backend: "https://example.org" },
    /^backend is no ws:\/\/ or wss:\/\/ URL\.$/,
  ],
  ["a backend that is no URL", { backend: "ws://" }, /^backend is no/],
  ["an image that is no name", { image: "no good; rm -rf" }, /^image is no image name/],
  ["a NUL in the environment", { env: { A: "b\u0000c" } }, /^env\.A has a NUL character\.$/],
  ["an environment name with a line break", { env: { "A\nB": "c" } }, /^env/],
  ["a name that is the scaler's", { env: { BACKEND_SERVER: "ws://evil" } }, /^env sets one of BACKEND_SERVER/],
  [
    "too large an environment",
    { env: Object.fromEntries(many(9, (n) => [`N${n}`, "x".repeat(4000)])) },
    /^env is larger/,
  ],
  ["too many labels", { labels: Object.fromEntries(many(33, (n) => [`l${n}`, ""])) }, /^labels has more than 32/],
  ["the host's network", { network: "host" }, /^network must not be the host's own/],
  ["another container's network", { network: "container:abc" }, /^network is no network name/],
  ["a memory limit below any use", { resources: { memoryBytes: "1" } }, /^resources\.memoryBytes/],
  ["a negative offer number", { vastaiIid: -5 }, /^offerId is no offer number/],
] as const)("%s is refused with a sentence", async (_name, request, sentence) => {
  await using bundle = await setupScaler();
  const refused = await bundle.create(request).catch((error) => error);
  expect(refused).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringMatching(sentence) });
  expect(bundle.engine.nodes.size).toBe(0);
});

test("an image outside the allow-list is refused", async () => {
  await using bundle = await setupScaler({ imageAllow: ["genai/node", "ghcr.io/ours/*"] });
  await bundle.create();
  await bundle.create({ image: "ghcr.io/ours/node:2" });
  await expect(bundle.create({ image: "ghcr.io/theirs/node" })).rejects.toMatchObject({
    code: status.PERMISSION_DENIED,
    details: "Image ghcr.io/theirs/node is not allowed here: allowed are genai/node, ghcr.io/ours/* (IMAGE_ALLOW).",
  });
});

test("one idempotency key makes one node, however often and however many at once", async () => {
  await using bundle = await setupScaler();
  const ids = await Promise.all(many(50, () => bundle.create({ idempotencyKey: "k" })));
  expect(new Set(ids).size).toBe(1);
  expect(await bundle.create({ idempotencyKey: "k" })).toBe(ids[0]);
  expect(bundle.engine.nodes.size).toBe(1);
});

test("a retry does not get the node that the call before it, given up by its caller, is undoing", async () => {
  const [made, undoing, undone] = [new AbortController(), new AbortController(), new AbortController()];
  await using bundle = await setupScaler({
    platforms: (engine) => [
      new (class extends MemoryPlatform {
        override async create(...[spec, plan, name, context]: Parameters<MemoryPlatform["create"]>) {
          const node = await super.create(spec, plan, name, context);
          if (made.signal.aborted) return node;
          made.abort();
          await aborted(context.signal);
          undoing.abort();
          await aborted(undone.signal);
          engine.nodes.delete(node.nodeId);
          throw new ScalerError("canceled", "Canceled.");
        }
      })(engine),
    ],
  });
  const request = { platform: "memory", backend: "ws://127.0.0.1:8080", idempotencyKey: "k" };
  const first = bundle.client.createNode(request, () => {});
  await aborted(made.signal);
  first.cancel();
  await aborted(undoing.signal);
  const impatient = answerOf((done) =>
    bundle.client.createNode(request, new Metadata(), { deadline: Date.now() + 50 }, done),
  );
  await expect(impatient).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
  const retry = bundle.create(request);
  // The retry was asked first on the same connection: with this answer it has been begun.
  await bundle.list();
  undone.abort();
  expect(await retry).toBe("m0000002");
  expect([...bundle.engine.nodes.keys()]).toEqual(["m0000002"]);
});

test("an idempotency key with other parameters is refused", async () => {
  await using bundle = await setupScaler();
  await bundle.create({ idempotencyKey: "k" });
  await expect(bundle.create({ idempotencyKey: "k", image: "other" })).rejects.toMatchObject({
    code: status.ALREADY_EXISTS,
  });
});

test("a key whose node has ended by itself makes another, whatever its parameters", async () => {
  await using bundle = await setupScaler();
  const first = await bundle.create({ idempotencyKey: "k" });
  const node = bundle.engine.nodes.get(first);
  if (!node) throw new Error("The node is not in the engine.");
  bundle.engine.nodes.set(first, { ...node, state: "failed", exitCode: 1 });
  const second = await bundle.create({ idempotencyKey: "k", image: "other" });
  expect(second).not.toBe(first);
  expect([...bundle.engine.nodes.keys()]).toEqual([second]);
});

test("check 38: a thousand creations at once stay within a cap of ten", async () => {
  await using bundle = await setupScaler({ caps: { nodesMax: 10, pricePerHourMax: 1000 } });
  const outcomes = await Promise.allSettled(many(1000, () => bundle.create()));
  const refusals = outcomes.filter((outcome) => outcome.status === "rejected");
  console.info(`check 38: 1,000 creations at once, cap 10: ${1000 - refusals.length} made, peak ${bundle.engine.peak}`);
  expect(refusals).toHaveLength(990);
  expect(refusals[0]?.reason).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    details: "There are 10 nodes in all and at most 10 are allowed.",
  });
  expect(bundle.engine.peak).toBe(10);
});

test("check 38: creations at once stay within a cap on price, in all and per platform", async () => {
  await using bundle = await setupScaler({
    platforms: (engine) => [new MemoryPlatform(engine, "memory", 0.3), new MemoryPlatform(engine, "dear", 2)],
    caps: { nodesMax: 100, pricePerHourMax: 5 },
    platformCaps: new Map([["memory", { nodesMax: 100, pricePerHourMax: 1 }]]),
  });
  const cheap = await Promise.allSettled(many(100, () => bundle.create()));
  expect(cheap.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(3);
  const dear = await Promise.allSettled(many(10, () => bundle.create({ platform: "dear" })));
  expect(dear.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(2);
  const costs = [...bundle.engine.nodes.values()].reduce((total, node) => total + node.pricePerHour, 0);
  console.info(
    `check 38: 110 creations at once cost $${costs.toFixed(2)} an hour, cap $5 in all and $1 for the cheap ones`,
  );
  await expect(bundle.create({ platform: "dear" })).rejects.toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    details: "The nodes in all cost $4.900 an hour, this one $2.000 more, and at most $5.000 is allowed.",
  });
});

test("a place under the cap is free again after a deletion", async () => {
  await using bundle = await setupScaler({ caps: { nodesMax: 1, pricePerHourMax: 1 } });
  const nodeId = await bundle.create();
  await expect(bundle.create()).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  await bundle.remove(nodeId);
  await bundle.create();
});

test("ids are refused by what they are: nonsense, never ours, somebody else's", async () => {
  await using bundle = await setupScaler();
  bundle.engine.foreign.add("m0000099");
  await expect(bundle.remove("../etc")).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  await expect(bundle.remove("")).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  await expect(bundle.remove("m0000042")).rejects.toMatchObject({
    code: status.NOT_FOUND,
    details: "There is no node m0000042.",
  });
  await expect(bundle.remove("m0000099")).rejects.toMatchObject({
    code: status.NOT_FOUND,
    details: "m0000099 was not made by this scaler and was left alone.",
  });
});

test("a node that is gone already is deleted without complaint", async () => {
  await using bundle = await setupScaler();
  const nodeId = await bundle.create();
  bundle.engine.nodes.delete(nodeId);
  await bundle.remove(nodeId);
  await bundle.remove(nodeId);
});

test("a platform that is away is UNAVAILABLE with its sentence", async () => {
  await using bundle = await setupScaler({
    platforms: (engine) => [
      new (class extends MemoryPlatform {
        override async list(): Promise<never> {
          throw new ScalerError("platform_away", "The engine does not answer.");
        }
      })(engine),
    ],
  });
  await expect(bundle.list()).rejects.toMatchObject({
    code: status.UNAVAILABLE,
    details: "The engine does not answer.",
  });
});

test("a bug of ours is told to the log and not to the caller", async () => {
  await using bundle = await setupScaler({
    platforms: (engine) => [
      new (class extends MemoryPlatform {
        override async list(): Promise<never> {
          throw new TypeError("secret innards");
        }
      })(engine),
    ],
  });
  const refused = await bundle.list().catch((error) => error);
  expect(refused).toMatchObject({ code: status.INTERNAL, details: expect.not.stringContaining("secret") });
  expect(bundle.bugs).toHaveLength(1);
});

test("a creation can be followed to its node", async () => {
  await using bundle = await setupScaler();
  const stages: string[] = [];
  const stream = bundle.client.createNodeStream({ platform: "memory", backend: "ws://h:1" });
  for await (const progress of stream) stages.push(progress.stage);
  expect(stages).toEqual(["STAGE_PLANNED", "STAGE_CREATING", "STAGE_DONE"]);
});

test("a plan says what would be made and makes nothing", async () => {
  await using bundle = await setupScaler({ caps: { nodesMax: 1, pricePerHourMax: 1 } });
  const request = { platform: "memory", backend: "ws://h:1/?token=hidden", idempotencyKey: "k" };
  const plan = await answerOf<PlanCreateResponse__Output>((done) => bundle.client.planCreate(request, done));
  expect(plan.node).toMatchObject({ platform: "memory", backend: "ws://h:1/", image: "genai/node" });
  expect(plan.existingNodeId).toBe("");
  expect(bundle.engine.nodes.size).toBe(0);
  const nodeId = await bundle.create(request);
  expect(
    (await answerOf<PlanCreateResponse__Output>((done) => bundle.client.planCreate(request, done))).existingNodeId,
  ).toBe(nodeId);
  const another = answerOf<PlanCreateResponse__Output>((done) =>
    bundle.client.planCreate({ ...request, idempotencyKey: "" }, done),
  );
  await expect(another).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
});

test("a watcher hears of what is there, and of each change after it", async () => {
  await using bundle = await setupScaler();
  const first = await bundle.create();
  const stream = bundle.client.watchNodes({});
  const changes: string[] = [];
  const steps = [
    async () => void (await bundle.create()),
    async () => void (await bundle.remove(first)),
    async () => stream.cancel(),
  ];
  const told = (change: NodeChange__Output) => `${change.type} ${change.node?.nodeId ?? ""}`;
  try {
    for await (const change of stream) {
      changes.push(told(change));
      if (change.type !== "TYPE_ADDED" || change.node?.nodeId !== first) await steps.shift()?.();
    }
  } catch (error) {
    expect(error).toMatchObject({ code: status.CANCELLED });
  }
  expect(changes).toEqual([`TYPE_ADDED ${first}`, "TYPE_SYNCED ", "TYPE_ADDED m0000002", `TYPE_REMOVED ${first}`]);
});

test("a log comes as it was printed", async () => {
  await using bundle = await setupScaler();
  const nodeId = await bundle.create();
  const pieces: Buffer[] = [];
  for await (const chunk of bundle.client.getNodeLogs({ nodeId })) pieces.push(chunk.data);
  expect(Buffer.concat(pieces).toString()).toBe(`log of ${nodeId}\n`);
});

function many<T>(count: number, make: (n: number) => T): T[] {
  return Array.from({ length: count }, (_, n) => make(n));
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}
