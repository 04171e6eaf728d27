import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@genai/testing";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { NodeSpec } from "../src/core/node-spec.ts";
import { DockerEngine } from "../src/platforms/local/docker-engine.ts";
import { LocalPlatform } from "../src/platforms/local/local-platform.ts";
import { docker, dockerTest, inspect, removeCluster } from "./support/docker.ts";
import { nodeSpec } from "./support/node-spec.ts";
import { make, type PlatformBundle, platformContract, quiet } from "./support/platform-contract.ts";
import { stubImage } from "./support/stub-image.ts";

const images = { own: "", foreign: "" };
const built: string[] = [];

beforeAll(() => {
  // Without an engine these tests are skipped, and there is nothing to build with.
  if (process.env.GENAI_TEST_DOCKER === "no") return;
  images.own = stubImage("own");
  images.foreign = stubImage("foreign");
  built.push(images.own, images.foreign);
}, 60_000);

afterAll(() => {
  if (built.length > 0) docker("rmi", "-f", ...built);
});

interface LocalBundle extends PlatformBundle {
  readonly platform: LocalPlatform;
  advance(byMs: number): void;
}

async function setup(): Promise<LocalBundle> {
  const clusterId = `t${randomUUID().slice(0, 8)}`;
  const foreign: string[] = [];
  let aheadMs = 0;
  const open = () =>
    new LocalPlatform({
      engine: new DockerEngine({}),
      clusterId,
      network: "bridge",
      stopGraceMs: 2_000,
      keepStoppedMs: 3_600_000,
      now: () => Date.now() + aheadMs,
    });
  return {
    platform: open(),
    another: open,
    clusterId,
    spec: (different: Partial<NodeSpec> = {}) => nodeSpec({ image: images.own, ...different }),
    makeForeign: async () => {
      const id = docker("run", "-d", images.foreign);
      foreign.push(id);
      const before = JSON.stringify(inspect(id));
      return { id: id.slice(0, 12), isUntouched: () => JSON.stringify(inspect(id)) === before };
    },
    absentId: "0123456789ab",
    shortLived: { env: { EXIT: "3" } },
    living: async () =>
      docker("ps", "-q", "-f", `label=genai.cluster=${clusterId}`, "-f", "status=running", "-f", "status=created")
        .split("\n")
        .filter(Boolean),
    advance: (byMs) => {
      aheadMs += byMs;
    },
    [Symbol.asyncDispose]: async () => {
      removeCluster(clusterId);
      if (foreign.length > 0) docker("rm", "-f", ...foreign);
    },
  };
}

platformContract("local", setup, dockerTest);

dockerTest("check 37: a container of our own image has no way to more than it was given", async () => {
  await using bundle = await setup();
  const { nodeId } = await make(bundle.platform, bundle.clusterId, bundle.spec({ nodeToken: "join-secret" }));
  const { Config, HostConfig, Mounts } = inspect(nodeId);
  expect(HostConfig).toMatchObject({
    CapDrop: ["ALL"],
    SecurityOpt: ["no-new-privileges"],
    ReadonlyRootfs: true,
    PidsLimit: 512,
    Privileged: false,
    NetworkMode: "bridge",
    PidMode: "",
    LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
    RestartPolicy: { Name: "no" },
  });
  expect(["", "private", "shareable"]).toContain(HostConfig.IpcMode);
  expect(HostConfig.Memory).toBeGreaterThan(0);
  expect(HostConfig.NanoCpus).toBeGreaterThan(0);
  expect(Object.keys(HostConfig.Tmpfs as object)).toEqual(["/tmp"]);
  expect(Mounts.filter((mount) => mount.Source.includes("docker.sock"))).toEqual([]);
  expect(Config.User).toBe("10001:10001");
  expect(Config.Env).toEqual(expect.arrayContaining(["BACKEND_SERVER=ws://127.0.0.1:8080", "NODE_TOKEN=join-secret"]));
  expect(JSON.stringify(Config.Labels)).not.toContain("join-secret");
});

dockerTest("check 37: another project's image keeps its user and capabilities, within limits", async () => {
  await using bundle = await setup();
  const { nodeId } = await make(bundle.platform, bundle.clusterId, bundle.spec({ image: images.foreign }));
  const { Config, HostConfig } = inspect(nodeId);
  expect(HostConfig).toMatchObject({ CapDrop: null, ReadonlyRootfs: false, PidsLimit: 4096, Privileged: false });
  expect(HostConfig.SecurityOpt).toEqual(["no-new-privileges"]);
  expect(HostConfig.Memory).toBeGreaterThan(0);
  expect(Config.User).toBe("");
});

dockerTest("asked limits are the container's limits, and more than the machine has is refused", async () => {
  await using bundle = await setup();
  const resources = { memoryBytes: 256 * 1024 ** 2, cpus: 0.5, gpus: 0, pidsMax: 64, diskBytes: null };
  const node = await make(bundle.platform, bundle.clusterId, bundle.spec({ resources }));
  expect(inspect(node.nodeId).HostConfig).toMatchObject({ Memory: 268_435_456, NanoCpus: 500_000_000, PidsLimit: 64 });
  expect(node.resources).toMatchObject({ memoryBytes: 268_435_456, cpus: 0.5, pidsMax: 64 });
  const tooMany = bundle.spec({ resources: { ...resources, cpus: 1000 } });
  await expect(bundle.platform.plan(tooMany)).rejects.toMatchObject({ code: "invalid" });
});

dockerTest("a deleted node drains, is off the list, and can still be looked at and read", async () => {
  await using bundle = await setup();
  const { nodeId } = await make(bundle.platform, bundle.clusterId, bundle.spec({ env: { DRAIN_MS: "300" } }));
  await until("it says hello", async () => (await textOf(bundle.platform, nodeId)).includes("hello"));
  const removal = bundle.platform.remove(nodeId);
  await until("it is stopping", async () => (await bundle.platform.list()).find((node) => node.state === "stopping"));
  expect(await removal).toBe("removed");
  expect(inspect(nodeId).State).toMatchObject({ Status: "exited", ExitCode: 0 });
  expect(await textOf(bundle.platform, nodeId)).toMatch(/hello.*draining.*drained/s);
  expect(await bundle.platform.list()).toEqual([]);
});

dockerTest("a node that will not leave is killed when its grace is over", async () => {
  await using bundle = await setup();
  const { nodeId } = await make(bundle.platform, bundle.clusterId, bundle.spec({ env: { DRAIN_MS: "60000" } }));
  await until("it says hello", async () => (await textOf(bundle.platform, nodeId)).includes("hello"));
  const startedAtMs = Date.now();
  await bundle.platform.remove(nodeId);
  expect(Date.now() - startedAtMs).toBeGreaterThan(1_500);
  expect(inspect(nodeId).State).toMatchObject({ Status: "exited", ExitCode: 137 });
});

dockerTest("a paused node can be deleted", async () => {
  await using bundle = await setup();
  const { nodeId } = await make(bundle.platform, bundle.clusterId, bundle.spec());
  docker("pause", nodeId);
  expect(await bundle.platform.remove(nodeId)).toBe("removed");
  expect(inspect(nodeId).State.Status).toBe("exited");
});

dockerTest("a node whose container somebody else removed is simply gone", async () => {
  await using bundle = await setup();
  const { nodeId } = await make(bundle.platform, bundle.clusterId, bundle.spec());
  docker("rm", "-f", nodeId);
  expect(await bundle.platform.list()).toEqual([]);
  expect(await bundle.platform.remove(nodeId)).toBe("absent");
});

dockerTest("a failed node tells its exit code and its last lines", async () => {
  await using bundle = await setup();
  await make(bundle.platform, bundle.clusterId, bundle.spec(bundle.shortLived));
  const failed = await until("it has failed", async () =>
    (await bundle.platform.list()).find((node) => node.state === "failed"),
  );
  expect(failed).toMatchObject({ exitCode: 3, message: "It ended by itself with exit code 3." });
  expect(failed.lastLogLines).toEqual(["hello from ws://127.0.0.1:8080", "giving up"]);
});

dockerTest("stopped containers are swept after their time, and not before", async () => {
  await using bundle = await setup();
  const deleted = await make(bundle.platform, bundle.clusterId, bundle.spec());
  await bundle.platform.remove(deleted.nodeId);
  expect(await bundle.platform.sweep()).toEqual([]);
  bundle.advance(3_601_000);
  expect(await bundle.platform.sweep()).toHaveLength(1);
  expect(docker("ps", "-aq", "-f", `label=genai.cluster=${bundle.clusterId}`)).toBe("");
});

dockerTest("a container that was made and never started is finished by its key, or swept", async () => {
  await using bundle = await setup();
  const half = bundle.spec({ idempotencyKey: "half" });
  // What a scaler leaves that dies between the engine's two calls.
  const engine = new DockerEngine({});
  const made = await make(bundle.platform, bundle.clusterId, half);
  const container = await engine.container(made.nodeId);
  docker("rm", "-f", made.nodeId);
  const labels = Object.entries(container?.Config.Labels ?? {}).flatMap(([name, value]) => [
    "--label",
    `${name}=${value}`,
  ]);
  docker("create", "--name", made.name, ...labels, images.own);

  const [listed] = await bundle.platform.list();
  expect(listed).toMatchObject({ state: "starting", name: made.name });
  const again = await make(bundle.another(), bundle.clusterId, half);
  expect(again).toMatchObject({ nodeId: listed?.nodeId, state: "running" });

  docker("create", "--name", `${made.name}-2`, ...labels, images.own);
  expect(await bundle.platform.sweep()).toEqual([]);
  bundle.advance(61_000);
  expect(await bundle.platform.sweep()).toEqual([expect.stringMatching(/never started/)]);
  expect((await bundle.platform.list()).map((node) => node.nodeId)).toEqual([again.nodeId]);
});

dockerTest("a deletion that was cut off half-way is carried out by the sweep", async () => {
  await using bundle = await setup();
  const { nodeId } = await make(bundle.platform, bundle.clusterId, bundle.spec());
  docker("rename", nodeId, `genai-deleted-${Date.now()}-${nodeId}`);
  expect(await bundle.platform.list()).toMatchObject([{ nodeId, state: "stopping" }]);
  bundle.advance(63_000);
  expect(await bundle.platform.sweep()).toEqual([expect.stringMatching(/cut off half-way/)]);
  expect(await bundle.platform.list()).toEqual([]);
  expect(inspect(nodeId).State.Running).toBe(false);
});

dockerTest(
  "check 37: a hundred containers of others survive deletions by id and sweeps, untouched",
  async () => {
    await using bundle = await setup();
    const label = `owner=${bundle.clusterId}`;
    // Containers that say whose they are in every other way: of another cluster, with our names, with no label at all.
    const disguises = [
      () => ["--label", "genai.cluster=another"],
      (n: number) => ["--name", `genai-${bundle.clusterId}-${n}`],
      (n: number) => ["--name", `genai-deleted-1-${bundle.clusterId}${n}`],
      () => ["--label", "genai.backend=ws://h:1", "--label", "genai.cluster="],
    ];
    const ids = Array.from({ length: 100 }, (_, n) =>
      docker("create", "--label", label, ...(disguises[n % disguises.length]?.(n) ?? []), images.foreign),
    );
    try {
      const seen = () => docker("inspect", ...ids);
      const before = seen();
      bundle.advance(7 * 24 * 3_600_000);
      const outcomes = await Promise.all(ids.map((id) => bundle.platform.remove(id.slice(0, 12))));
      const swept = await bundle.platform.sweep();
      const listed = await bundle.platform.list();
      const untouched = seen() === before ? ids.length : 0;
      console.info(`check 37: ${untouched}/${ids.length} foreign containers untouched`);
      expect(new Set(outcomes)).toEqual(new Set(["foreign"]));
      expect([swept, listed, untouched]).toEqual([[], [], 100]);
    } finally {
      docker("rm", "-f", ...ids);
    }
  },
  60_000,
);

dockerTest(
  "check 37: a crash between create and record, a hundred times, leaks no container and doubles none",
  async () => {
    await using bundle = await setup();
    let crashes = 0;
    /** Dies once the engine has made the container, before anybody has heard of it. */
    class DyingEngine extends DockerEngine {
      override async create(options: Parameters<DockerEngine["create"]>[0]): Promise<never> {
        await super.create(options);
        crashes += 1;
        throw new Error("kill -9");
      }
    }
    const options = { clusterId: bundle.clusterId, network: "bridge", stopGraceMs: 0, keepStoppedMs: 0 };
    const dying = new LocalPlatform({ ...options, engine: new DyingEngine({}), now: () => Date.now() });
    const specOf = (n: number) => bundle.spec({ idempotencyKey: `key-${n}`, env: { EXIT: "0" } });
    const keys = Array.from({ length: 100 }, (_, n) => n);
    await eachOf(keys, async (n) => {
      await expect(make(dying, bundle.clusterId, specOf(n))).rejects.toThrow("kill -9");
    });
    const listed = await bundle.platform.list();
    expect(new Set(listed.map((node) => node.idempotencyKey)).size).toBe(100);
    // Every fifth caller asks again and gets the node of the first try; nobody asks for the others any more.
    const again = keys.filter((n) => n % 5 === 0);
    await eachOf(again, async (n) => {
      const node = await make(bundle.another(), bundle.clusterId, specOf(n));
      expect(listed.find((one) => one.idempotencyKey === `key-${n}`)?.nodeId).toBe(node.nodeId);
    });
    expect(await bundle.platform.list()).toHaveLength(100);
    const ours = ["-f", `label=genai.cluster=${bundle.clusterId}`];
    // Those that were started end by themselves; one that still runs is nobody's to sweep.
    await until("all have ended", async () => docker("ps", "-q", ...ours) === "");
    bundle.advance(2 * 3_600_000);
    const swept = await bundle.platform.sweep();
    const left = docker("ps", "-aq", ...ours);
    const doubles = listed.length - 100;
    console.info(
      `check 37: ${crashes} crashes, ${left === "" ? 0 : left.split("\n").length} leaks, ${doubles} doubles`,
    );
    expect([crashes, swept.length, left, doubles]).toEqual([100, 100, "", 0]);
  },
  120_000,
);

dockerTest("an image that cannot be had is one clear sentence", async () => {
  await using bundle = await setup();
  const missing = bundle.spec({ image: "127.0.0.1:1/nobody/nothing:1" });
  const plan = await bundle.platform.plan(missing);
  expect(plan.pull).toBe(true);
  await expect(bundle.platform.create(missing, plan, "genai-x", quiet)).rejects.toMatchObject({
    code: "platform_away",
    message: expect.stringMatching(
      /^Image 127\.0\.0\.1:1\/nobody\/nothing:1 is not here, and its registry can't be reached/,
    ),
  });
});

dockerTest("a GPU on a machine without one is refused, and nothing stays behind", async () => {
  await using bundle = await setup();
  const resources = { ...bundle.spec().resources, gpus: 1 };
  await expect(make(bundle.platform, bundle.clusterId, bundle.spec({ resources }))).rejects.toMatchObject({
    code: "platform_refused",
    message: expect.stringMatching(/no GPU to give/),
  });
  expect(docker("ps", "-aq", "-f", `label=genai.cluster=${bundle.clusterId}`)).toBe("");
});

dockerTest("a network that the engine does not have is refused", async () => {
  await using bundle = await setup();
  await expect(bundle.platform.plan(bundle.spec({ network: "no-such-network" }))).rejects.toMatchObject({
    code: "invalid",
  });
});

test("an engine that is down is one sentence", async () => {
  const engine = new DockerEngine({ socketPath: "/nonexistent/docker.sock" });
  await expect(engine.containerIds("a=b")).rejects.toMatchObject({
    code: "platform_away",
    message: "Listing the containers failed: the Docker engine does not answer (ENOENT). Is it running?",
  });
});

test("a full disk is told as such, and the half-made container is removed", async () => {
  const calls: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), "engine-"));
  // Enough of an engine to run out of disk at the moment of the start.
  const standIn = createServer((request, response) => {
    const path = request.url?.split("?")[0] ?? "";
    calls.push(`${request.method} ${path}`);
    request.resume();
    const answers: Record<string, [number, object]> = {
      "/info": [200, { MemTotal: 2 ** 34, NCPU: 4 }],
      "/containers/create": [201, { Id: "c0ffee" }],
      "/containers/c0ffee/start": [500, { message: "write /var/lib/docker/x: no space left on device" }],
      "/containers/c0ffee": [204, {}],
    };
    const image = { Config: { Labels: {}, User: "" } };
    const [status, body] = answers[path] ?? [200, path.startsWith("/images/") ? image : {}];
    response.writeHead(status, { "content-type": "application/json" }).end(status === 204 ? "" : JSON.stringify(body));
  });
  const socketPath = join(folder, "docker.sock");
  await new Promise<void>((resolve) => standIn.listen(socketPath, resolve));
  try {
    const platform = new LocalPlatform({
      engine: new DockerEngine({ socketPath }),
      clusterId: "full",
      network: "bridge",
      stopGraceMs: 0,
      keepStoppedMs: 0,
      now: () => 0,
    });
    await expect(make(platform, "full", nodeSpec())).rejects.toMatchObject({
      code: "platform_full",
      message: "Starting the container failed: the engine's disk is full.",
    });
    expect(calls.at(-1)).toBe("DELETE /containers/c0ffee");
  } finally {
    standIn.closeAllConnections();
    await new Promise((resolve) => standIn.close(resolve));
    rmSync(folder, { recursive: true });
  }
});

/** A few at a time, so that the engine is not asked for a hundred things at once. */
async function eachOf<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const rest = [...all];
  const worker = async () => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) await work(next);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

async function textOf(platform: LocalPlatform, nodeId: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  const options = { tail: 100, follow: false, signal: AbortSignal.timeout(10_000) };
  for await (const chunk of platform.logs(nodeId, options)) pieces.push(chunk.data);
  return Buffer.concat(pieces).toString("utf8");
}
