import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { freePort, until } from "@genai/testing";
import { expect } from "@jest/globals";
import { Compose, composeTest } from "../support/compose.ts";
import { docker, machinesEngine } from "../support/docker.ts";
import { tell } from "../support/figures.ts";
import { genaiCli } from "../support/genai-cli.ts";
import { localImages } from "../support/local-images.ts";
import { TaskCaller } from "../support/task-caller.ts";

const tokens = { NODE_TOKEN: "node-token-for-a-test", SCALER_TOKEN: "scaler-token-for-a-test" };

composeTest(
  "docker-compose.yml can be read with every profile, and without its tokens it says what to set",
  async () => {
    const compose = new Compose("genai-config", tokens);
    const whole = await compose.run("--profile", "postgres", "--profile", "comfyui", "config");
    for (const service of ["server", "scaler", "node", "postgres", "comfyui", "comfyui-node"]) {
      expect(whole).toContain(`  ${service}:\n`);
    }
    await expect(new Compose("genai-config", {}).run("config")).rejects.toThrow(/NODE_TOKEN/);
  },
  60_000,
);

composeTest(
  "docker-compose.yml runs our images, healthy, locked down, and working together with nodes that its scaler makes",
  async () => {
    const images = await localImages();
    const id = randomUUID().slice(0, 8);
    const [httpPort, scalerPort] = [String(await freePort()), String(await freePort())];
    const secret = randomBytes(32).toString("hex");
    const clusterId = `compose${id}`;
    await using compose = new Compose(`genaie2e${id}`, {
      ...tokens,
      GENAI_IMAGES: "genai-local",
      GENAI_TAG: images.server.split(":")[1] ?? "",
      GENAI_NETWORK: `genai-e2e-${id}`,
      HTTP_PORT: httpPort,
      SCALER_PORT: scalerPort,
      CLUSTER_ID: clusterId,
      JWT_SECRET: secret,
      DOCKER_GID: String(statSync("/var/run/docker.sock").gid),
    });
    try {
      const startedAtMs = performance.now();
      await compose.run("up", "-d", "--no-build");
      for (const service of ["server", "scaler", "node"]) {
        const container = await compose.container(service);
        await until(
          `${service} is healthy`,
          async () => (await docker("inspect", "-f", "{{.State.Health.Status}}", container)) === "healthy",
          60_000,
        );
      }
      const healthyMs = Math.round(performance.now() - startedAtMs);
      for (const service of ["server", "scaler", "node"]) {
        const [info] = JSON.parse(await docker("inspect", await compose.container(service)));
        expect(info.Config.User).toBe("10001:10001");
        expect(info.HostConfig).toMatchObject({
          ReadonlyRootfs: true,
          CapDrop: ["ALL"],
          PidsLimit: 512,
          Privileged: false,
        });
        const sockets = info.Mounts.filter(({ Source }: { Source: string }) => Source.endsWith("docker.sock"));
        expect(sockets).toHaveLength(service === "scaler" ? 1 : 0);
      }

      const caller = new TaskCaller(`http://127.0.0.1:${httpPort}`, tokenFor("somebody", secret));
      const scaler = { GENAI_SCALER: `127.0.0.1:${scalerPort}`, SCALER_TOKEN: tokens.SCALER_TOKEN };
      const refused = await genaiCli(["list"], { ...scaler, SCALER_TOKEN: "not-the-scalers-token" });
      expect(refused.code).toBe(4);
      const made = await genaiCli(["create-node", "local", "ws://server:8080", "--key", "one", "--json"], scaler);
      expect(made.code).toBe(0);
      const { nodeId } = JSON.parse(made.output);
      const notAllowed = await genaiCli(["create-node", "local", "ws://server:8080", "--image", "evil/image"], scaler);
      expect([notAllowed.code, notAllowed.output]).toEqual([4, expect.stringContaining("IMAGE_ALLOW")]);

      const health = `http://127.0.0.1:${httpPort}/v1/nodes/health/`;
      await until("both nodes are online", async () => {
        const answer = (await (await fetch(health)).json()) as { availableNodesCount: number };
        return answer.availableNodesCount === 2;
      });
      const ids = await Promise.all(Array.from({ length: 10 }, (_, n) => caller.submit({ prompt: `composed ${n}` })));
      const tasks = await caller.ended(ids, 60_000);
      for (const task of tasks) expect(await caller.picture(task)).toMatchObject({ width: 64, height: 64 });
      const nodes = new Set(tasks.flatMap(({ attempts }) => attempts.map((attempt) => attempt.nodeId)));
      expect(nodes.size).toBe(2);
      tell("compose", { tasks: tasks.length, nodes: nodes.size, healthyAfterMs: healthyMs });
      expect(await genaiCli(["delete-node", nodeId], scaler)).toMatchObject({ code: 0, output: `${nodeId}\n` });
      expect(await genaiCli(["list", "--json"], scaler)).toMatchObject({ code: 0, output: "[]\n" });
    } finally {
      await machinesEngine.removeCluster(clusterId);
    }
  },
  300_000,
);

/** A caller's token as an identity service would sign it. */
function tokenFor(subject: string, secret: string): string {
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: subject })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}
