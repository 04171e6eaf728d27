import { until } from "@genai/testing";
import { expect } from "@jest/globals";
import { docker, dockerTest } from "../support/docker.ts";
import { OldScalerClient } from "../support/old-scaler-client.ts";
import { redPixel, V1Node, v1Register, v1Result } from "../support/v1-node.ts";
import { WholeSystem } from "../support/whole-system.ts";

dockerTest(
  "a client made from the old proto makes a node that works, lists it, and deletes it as it always did",
  async () => {
    await using system = await WholeSystem.start();
    using client = new OldScalerClient(system.scalerAddress);
    const image = system.images.node;
    const nodeId = await client.createNode({
      platform: "local",
      backend: system.backend,
      image,
      prov_script: "https://example.org/prov.sh",
    });
    expect(nodeId).toMatch(/^[0-9a-f]{12}$/);
    expect(await client.listNodes()).toEqual([{ node_id: nodeId, platform: "local", backend: system.backend, image }]);
    const env = await docker("inspect", "-f", "{{json .Config.Env}}", nodeId);
    expect(JSON.parse(env)).toEqual(
      expect.arrayContaining([`BACKEND_SERVER=${system.backend}`, "PROVISIONING_SCRIPT=https://example.org/prov.sh"]),
    );

    const task = await system.tasks.submit({ prompt: "by the old way" });
    const [ended] = await system.tasks.ended([task], 60_000);
    expect(ended?.state).toBe("succeeded");

    await client.deleteNode({ node_id: nodeId });
    expect(await docker("inspect", "-f", "{{.State.Status}}", nodeId)).toBe("exited");
    expect(await client.listNodes()).toEqual([]);
    await client.deleteNode({ node_id: nodeId });
    await expect(client.createNode({ platform: "nowhere", backend: system.backend })).rejects.toMatchObject({
      code: 3,
    });
  },
  300_000,
);

dockerTest(
  "a node of the old kind beside a new one hears and says v1's frames to the byte",
  async () => {
    await using system = await WholeSystem.start();
    using old = new V1Node(`${system.backend}/?token=${system.nodeToken}`, v1Register("old one"), ({ taskId }) => [
      v1Result(taskId),
    ]);
    await system.tasks.online(["old one"]);
    const answer = await fetch(`${system.url}/v1/images/generation/`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"token":"anybody","standardPipeline":{"prompt":"a red \\"fox\\"","size":{"width":64,"height":32}}}',
    });
    expect(answer.status).toBe(202);
    const body = (await answer.json()) as { ok: boolean; task_id: string; result: { images: string[] } };
    expect(old.frames).toEqual([
      `{"taskId":"${body.task_id}","options":{"prompt":"a red \\"fox\\"","model":"","size":{"width":64,"height":32},"steps":null},"comfyOptions":null}`,
    ]);
    const picture = await fetch(body.result.images[0] ?? "");
    const base64 = Buffer.from(await picture.arrayBuffer()).toString("base64");
    expect(`data:${picture.headers.get("content-type")};base64,${base64}`).toBe(redPixel);

    const health = await fetch(`${system.url}/v1/nodes/health/`);
    expect([health.status, await health.json()]).toEqual([200, { ok: true, status: "ok", availableNodesCount: 1 }]);
    old[Symbol.dispose]();
    const gone = await until("the old node is off the list at once", async () => {
      const now = await fetch(`${system.url}/v1/nodes/health`);
      return now.status === 500 && now;
    });
    expect(await gone.json()).toEqual({ ok: false, status: "error", availableNodesCount: 0 });
  },
  300_000,
);
