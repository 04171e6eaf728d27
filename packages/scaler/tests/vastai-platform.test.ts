import { expect, test } from "@jest/globals";
import { ImagePolicy } from "../src/core/image-policy.ts";
import type { NodeSpec } from "../src/core/node-spec.ts";
import type { CreateProgress } from "../src/core/platform.ts";
import { Scaler } from "../src/core/scaler.ts";
import { VastaiClient } from "../src/platforms/vastai/vastai-client.ts";
import { VastaiPlatform } from "../src/platforms/vastai/vastai-platform.ts";
import { nodeSpec } from "./support/node-spec.ts";
import { make, type PlatformBundle, platformContract, quiet } from "./support/platform-contract.ts";
import { VastaiStandIn } from "./support/vastai-stand-in.ts";

const apiKey = "vast-canary-key-0123456789";

interface VastaiBundle extends PlatformBundle {
  readonly platform: VastaiPlatform;
  readonly standIn: VastaiStandIn;
  advance(byMs: number): void;
}

async function setup(): Promise<VastaiBundle> {
  const standIn = await VastaiStandIn.start(apiKey);
  for (const price of [0.5, 0.3, 0.4]) standIn.addOffer({ dph_total: price });
  let aheadMs = 0;
  const open = () =>
    new VastaiPlatform({
      client: new VastaiClient({ baseUrl: standIn.url, apiKey, backoffMs: 1 }),
      clusterId: "t",
      pollMs: 1,
      startMs: 200,
      stopGraceMs: 200,
      keepStoppedMs: 3_600_000,
      now: () => Date.now() + aheadMs,
    });
  return {
    standIn,
    platform: open(),
    another: open,
    clusterId: "t",
    spec: (different: Partial<NodeSpec> = {}) => {
      const { EXIT, ...env } = different.env ?? {};
      if (EXIT) standIn.faults.shortLived = true;
      return nodeSpec({ platform: "vastai", ...different, env });
    },
    makeForeign: async () => {
      const instance = standIn.addInstance();
      const before = JSON.stringify(instance);
      return {
        id: String(instance.id),
        isUntouched: () => JSON.stringify(standIn.instances.get(instance.id)) === before,
      };
    },
    absentId: "999999",
    shortLived: { env: { EXIT: "1" } },
    living: async () => [...standIn.instances.keys()].map(String),
    advance: (byMs) => {
      aheadMs += byMs;
    },
    [Symbol.asyncDispose]: () => standIn[Symbol.asyncDispose](),
  };
}

platformContract("vastai", setup, test);

test("the cheapest offer is rented, with the image's own entry point", async () => {
  await using bundle = await setup();
  const spec = bundle.spec({ args: ["--type", "test"], nodeToken: "join" });
  const node = await make(bundle.platform, "t", spec);
  expect(node).toMatchObject({ pricePerHour: 0.3, gpu: "RTX 4090" });
  const rent = bundle.standIn.bodies[bundle.standIn.calls.findIndex((call) => call.startsWith("PUT /api/v0/asks/"))];
  expect(rent).toMatchObject({ runtype: "args", args: ["--type", "test"], image: spec.image, label: node.name });
  expect(rent?.env).toMatchObject({ BACKEND_SERVER: spec.backend, NODE_TOKEN: "join" });
});

test("filters reach the search, and a GPU's name is taken in any spelling", async () => {
  await using bundle = await setup();
  bundle.standIn.addOffer({ gpu_name: "RTX_3060", gpu_ram: 12_288, dph_total: 0.05, reliability: 0.7 });
  const filter = { ...bundle.spec().filter, gpuType: "rtx 3060" };
  expect(await bundle.platform.offers(filter, 10)).toMatchObject([{ gpu: "RTX_3060", pricePerHour: 0.05 }]);
  const reliable = { ...bundle.spec().filter, reliabilityMin: 0.9, pricePerHourMax: 0.45 };
  expect((await bundle.platform.offers(reliable, 10)).map((offer) => offer.pricePerHour)).toEqual([0.3, 0.4]);
  const large = { ...bundle.spec().filter, vramBytesMin: 80e9 };
  await expect(bundle.platform.plan(bundle.spec({ filter: large }))).rejects.toMatchObject({ code: "not_found" });
});

test("an offer asked for by its number is taken, and no other when it is gone", async () => {
  await using bundle = await setup();
  const dear = bundle.standIn.addOffer({ dph_total: 3 });
  const node = await make(bundle.platform, "t", bundle.spec({ offerId: String(dear.id) }));
  expect(node.pricePerHour).toBe(3);
  await expect(make(bundle.platform, "t", bundle.spec({ offerId: String(dear.id) }))).rejects.toMatchObject({
    code: "not_found",
  });
});

test("a 429 without Retry-After and a proxy's error page are waited out", async () => {
  await using bundle = await setup();
  bundle.standIn.faults.tooMany = 3;
  await make(bundle.platform, "t", bundle.spec());
  bundle.standIn.faults.badGateway = 2;
  expect(await bundle.platform.list()).toHaveLength(1);
});

test("a connection that is cut is tried again, but never a rent", async () => {
  await using bundle = await setup();
  const plan = await bundle.platform.plan(bundle.spec());
  bundle.standIn.faults.cut = 3;
  expect(await bundle.platform.list()).toEqual([]);
  bundle.standIn.calls.length = 0;
  const onProgress = ({ stage }: CreateProgress) => {
    if (stage === "creating") bundle.standIn.faults.cut = 1;
  };
  const creation = bundle.platform.create(bundle.spec(), plan, "genai-t-1", { ...quiet, onProgress });
  await expect(creation).rejects.toMatchObject({ code: "platform_away" });
  expect(bundle.standIn.calls.filter((call) => call.startsWith("PUT"))).toHaveLength(1);
});

test("an instance that starts is kept while vast.ai can't be asked how it does", async () => {
  await using bundle = await setup();
  let looks = 0;
  const onProgress = ({ stage }: CreateProgress) => {
    if (stage === "starting" && ++looks === 1) bundle.standIn.faults.cut = 12;
  };
  expect(await make(bundle.platform, "t", bundle.spec(), { ...quiet, onProgress })).toMatchObject({ state: "running" });
  expect(bundle.standIn.calls.filter((call) => call.startsWith("DELETE"))).toEqual([]);
});

test("what vast.ai was away for is destroyed by the sweep: the instance of a creation that was given up", async () => {
  await using bundle = await setup();
  const abort = new AbortController();
  const onProgress = ({ stage }: CreateProgress) => {
    if (stage !== "starting") return;
    abort.abort();
    bundle.standIn.faults.cut = 100;
  };
  const creation = make(bundle.platform, "t", bundle.spec(), { signal: abort.signal, onProgress });
  await expect(creation).rejects.toMatchObject({ code: "platform_away" });
  bundle.standIn.faults.cut = 0;
  const [left] = await bundle.living();
  await bundle.platform.list();
  expect(await bundle.platform.list()).toMatchObject([{ nodeId: left, state: "stopping" }]);
  expect(await bundle.platform.sweep()).toEqual([`Destroyed instance ${left}, which was to be destroyed already.`]);
  await bundle.platform.list();
  expect(await bundle.living()).toEqual([]);
});

test("what a rent made whose answer was lost, and that could not be looked for, is destroyed by the sweep", async () => {
  await using bundle = await setup();
  const spec = bundle.spec({ idempotencyKey: "k" });
  const failing = () => {
    Object.assign(bundle.standIn.faults, { answerLost: 1, cutAfterLost: 100 });
    return make(bundle.platform, "t", spec);
  };
  await expect(failing()).rejects.toMatchObject({ code: "platform_away" });
  bundle.standIn.faults.cut = 0;
  const [left] = await bundle.living();
  expect(await bundle.platform.sweep()).toEqual([
    `Destroyed instance ${left}, which was rented by a creation that had failed.`,
  ]);
  await bundle.platform.list();
  expect(await bundle.living()).toEqual([]);
  await expect(failing()).rejects.toMatchObject({ code: "platform_away" });
  bundle.standIn.faults.cut = 0;
  const again = await make(bundle.platform, "t", spec);
  expect(await bundle.platform.sweep()).toEqual([]);
  expect(await bundle.living()).toEqual([again.nodeId]);
});

test("refusals without end are told with vast.ai's own words and never with the key", async () => {
  await using bundle = await setup();
  bundle.standIn.faults.tooMany = 100;
  const error = await bundle.platform.list().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "platform_away", message: expect.stringContaining("API requests too frequent") });
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error)) + String((error as Error).cause)).not.toContain(
    apiKey,
  );
});

test("a key that is not accepted is one sentence", async () => {
  await using bundle = await setup();
  const client = new VastaiClient({ baseUrl: bundle.standIn.url, apiKey: "wrong", backoffMs: 1 });
  const options = { clusterId: "t", pollMs: 1, startMs: 1, stopGraceMs: 1, keepStoppedMs: 1, now: () => 0 };
  await expect(new VastaiPlatform({ ...options, client }).list()).rejects.toMatchObject({
    code: "platform_refused",
    message: "vast.ai does not accept VASTAI_API_KEY.",
  });
});

test("an offer that vanishes is left for the next plan to replace", async () => {
  await using bundle = await setup();
  bundle.standIn.faults.offerGone = 1;
  await expect(make(bundle.platform, "t", bundle.spec())).rejects.toMatchObject({ code: "offer_gone" });
  expect(await make(bundle.platform, "t", bundle.spec())).toMatchObject({ pricePerHour: 0.4 });
});

test("a rent whose answer was lost is found by its label and not made twice", async () => {
  await using bundle = await setup();
  bundle.standIn.faults.answerLost = 1;
  const node = await make(bundle.platform, "t", bundle.spec());
  expect(node.state).toBe("running");
  expect(bundle.standIn.instances.size).toBe(1);
});

test("an instance stuck at loading is destroyed, and its machine avoided", async () => {
  await using bundle = await setup();
  const cheap = bundle.standIn.addOffer({ dph_total: 0.01 });
  bundle.standIn.addOffer({ dph_total: 0.02, machine_id: cheap.machine_id });
  bundle.standIn.faults.stuckMachines.add(cheap.machine_id);
  await expect(make(bundle.platform, "t", bundle.spec())).rejects.toMatchObject({ code: "offer_gone" });
  expect(bundle.standIn.instances.size).toBe(0);
  expect(await make(bundle.platform, "t", bundle.spec())).toMatchObject({ pricePerHour: 0.3 });
});

test("a node that is deleted while it starts is not replaced by another rent", async () => {
  await using bundle = await setup();
  const scaler = new Scaler({
    clusterId: "t",
    platforms: [bundle.platform],
    imagePolicy: new ImagePolicy(["**"]),
    caps: { nodesMax: 10, pricePerHourMax: 10 },
    platformCaps: new Map(),
    createMs: 10_000,
    watchIntervalMs: 5,
  });
  for (const { machine_id } of bundle.standIn.offers) bundle.standIn.faults.stuckMachines.add(machine_id);
  let removal: Promise<void> | null = null;
  const onProgress = ({ stage }: CreateProgress) => {
    const [instanceId] = bundle.standIn.instances.keys();
    if (stage === "starting") removal ??= scaler.remove(String(instanceId));
  };
  const creation = scaler.create(bundle.spec(), { ...quiet, onProgress });
  await expect(creation).rejects.toMatchObject({ code: "not_found", message: expect.stringContaining("was deleted") });
  await removal;
  expect(bundle.standIn.calls.filter((call) => call.startsWith("PUT /api/v0/asks/"))).toHaveLength(1);
  expect(await bundle.living()).toEqual([]);
});

test("a deletion drains first and ends only when the instance is out of the list", async () => {
  await using bundle = await setup();
  const { nodeId } = await make(bundle.platform, "t", bundle.spec());
  bundle.standIn.faults.lingerLists = 5;
  bundle.standIn.calls.length = 0;
  await bundle.platform.remove(nodeId);
  expect(bundle.standIn.instances.size).toBe(0);
  const changes = bundle.standIn.calls.filter((call) => !call.startsWith("GET"));
  expect(changes.slice(0, 2)).toEqual([`PUT /api/v0/instances/${nodeId}/`, `DELETE /api/v0/instances/${nodeId}/`]);
});

test("nodes behind many pages of other instances are found", async () => {
  await using bundle = await setup();
  for (let n = 0; n < 60; n += 1) bundle.standIn.addInstance();
  const { nodeId } = await make(bundle.platform, "t", bundle.spec());
  for (let n = 0; n < 60; n += 1) bundle.standIn.addInstance();
  expect((await bundle.platform.list()).map((node) => node.nodeId)).toEqual([nodeId]);
});

test("instances that nobody waits for any more are swept: never started, stopped half-way, failed long ago", async () => {
  await using bundle = await setup();
  const old = Date.now() / 1000 - 1_000;
  bundle.standIn.faults.stuckMachines.add(7);
  const stuck = bundle.standIn.addInstance({
    label: "genai-t-1",
    actual_status: "loading",
    machine_id: 7,
    start_date: old,
  });
  const stopped = bundle.standIn.addInstance({ label: "genai-t-2", intended_status: "stopped", start_date: old });
  const failed = bundle.standIn.addInstance({ label: "genai-t-3", actual_status: "offline" });
  const living = bundle.standIn.addInstance({ label: "genai-t-4", start_date: old });
  expect(await bundle.platform.sweep()).toEqual([`Destroyed instance ${stuck.id}, which never came to run.`]);
  bundle.advance(121_000);
  expect(await bundle.platform.sweep()).toEqual([
    `Destroyed instance ${stopped.id}, which was stopped and not destroyed.`,
  ]);
  bundle.advance(3_601_000);
  expect(await bundle.platform.sweep()).toEqual([`Destroyed instance ${failed.id}, which ended by itself.`]);
  expect((await bundle.platform.list()).map((node) => node.nodeId)).toEqual([String(living.id)]);
});

test.each([
  ["drains", { intended_status: "stopped" }, 120_200, "was stopped and not destroyed"],
  ["ended by itself, or whose machine is offline", { actual_status: "offline" }, 3_600_000, "ended by itself"],
  ["starts anew with its machine", { actual_status: "created" }, 400, "never came to run"],
])("an instance that ran for days and %s has its whole time", async (_what, change, allowedMs, why) => {
  await using bundle = await setup();
  const instance = bundle.standIn.addInstance({ label: "genai-t-1", start_date: Date.now() / 1000 - 300_000 });
  expect(await bundle.platform.sweep()).toEqual([]);
  Object.assign(instance, change);
  expect(await bundle.platform.sweep()).toEqual([]);
  bundle.advance(allowedMs + 1);
  expect(await bundle.platform.sweep()).toEqual([`Destroyed instance ${instance.id}, which ${why}.`]);
});

test("an answer that can't be read is told as such", async () => {
  await using bundle = await setup();
  bundle.standIn.addInstance({ label: 5 as unknown as string });
  await expect(bundle.platform.list()).rejects.toMatchObject({
    code: "platform_away",
    message: expect.stringMatching(/^vast\.ai's answer to \/api\/v1\/instances\/ can't be read at instances/),
  });
});
