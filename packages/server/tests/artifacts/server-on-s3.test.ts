import { expect, test } from "@jest/globals";
import { Peer } from "../sessions/support/peer.ts";
import { described, png } from "../sessions/support/pictures.ts";
import { registerFrame } from "../sessions/support/setup.ts";
import { api } from "../support/api.ts";
import { LegacyNode } from "../support/legacy-node.ts";
import { RealServer } from "../support/real-server.ts";
import { keysOf } from "./support/keys-of.ts";
import { S3Server } from "./support/s3-server.ts";

const FOX = { pipeline: { type: "standard", prompt: "a fox" } };

async function serverOn(s3: S3Server, more: Readonly<Record<string, string>> = {}): Promise<RealServer> {
  const where = { ARTIFACT_STORE: "s3://pictures/genai", S3_ENDPOINT: s3.endpoint, S3_PATH_STYLE: "true" };
  return await RealServer.start({ ...where, ...more });
}

async function endedTask(
  server: RealServer,
): Promise<{ readonly result: { readonly artifacts: readonly { readonly url: string; readonly bytes: number }[] } }> {
  const { body } = await api(server.url).post("/v2/tasks").set("prefer", "wait=30").send(FOX).expect(201);
  expect(body.state).toBe("succeeded");
  return body;
}

test.each([
  ["sends clients to S3", "true", 302],
  ["passes the bytes on where it is told to", "false", 200],
])("a server on S3 keeps the pictures of legacy nodes there and %s", async (_what, presign, status) => {
  await using s3 = await S3Server.start();
  await using server = await serverOn(s3, { S3_PRESIGN: presign });
  await using node = await LegacyNode.join(server.url, "node-1");
  node.answerAll();
  const [picture] = (await endedTask(server)).result.artifacts;
  const first = await fetch(picture?.url ?? "", { redirect: "manual" });
  expect(first.status).toBe(status);
  await first.arrayBuffer();
  const followed = await fetch(picture?.url ?? "");
  expect([followed.status, followed.headers.get("content-type")]).toEqual([200, "image/png"]);
  expect((await followed.arrayBuffer()).byteLength).toBe(picture?.bytes);
  const store = await s3.open({ prefix: "genai" });
  expect(await keysOf(store, "attempts")).toHaveLength(1);
  await store.close();
});

test("a node that speaks protocol 2 puts its picture straight into S3, and the server checks what came", async () => {
  await using s3 = await S3Server.start();
  await using server = await serverOn(s3);
  const node = await Peer.connect(server.url.replace(/^http/, "ws"), { perMessageDeflate: false });
  node.say(registerFrame("node-2"));
  await node.next();
  const ended = endedTask(server);
  const task = await node.next<{ readonly attemptId: string; readonly uploadUrl: string }>();
  const uploadUrl = task.uploadUrl.replace("{n}", "0");
  expect(uploadUrl).toContain("&direct=1");
  const picture = png(48, 48);
  const evil = await api("")
    .post(uploadUrl)
    .send(described(png(8, 8)))
    .expect(200);
  const offered = await api("").post(uploadUrl).send(described(picture)).expect(200);
  expect(new URL(offered.body.url).origin).toBe(s3.endpoint);
  const { "content-length": _length, ...headers } = offered.body.headers as Record<string, string>;
  const put = await fetch(offered.body.url, { method: "PUT", headers, body: new Uint8Array(picture) });
  expect(put.status).toBe(200);
  node.say({ type: "result", attemptId: task.attemptId, artifacts: [described(picture)] });
  const [artifact] = (await ended).result.artifacts;
  expect(artifact).toMatchObject({ ...described(picture), width: 48, height: 48 });
  expect(Buffer.from(await (await fetch(artifact?.url ?? "")).arrayBuffer())).toEqual(picture);
  await api("").post(uploadUrl).send(described(picture)).expect(409);
  // What it was told of another picture, before, is good for that one alone.
  const { "content-length": _other, ...more } = evil.body.headers as Record<string, string>;
  expect((await fetch(evil.body.url, { method: "PUT", headers: more, body: new Uint8Array(png(8, 8)) })).status).toBe(
    200,
  );
  expect(Buffer.from(await (await fetch(artifact?.url ?? "")).arrayBuffer())).toEqual(picture);
  node.terminate();
});
