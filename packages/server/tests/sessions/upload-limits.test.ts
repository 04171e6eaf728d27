import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import type { V2Task } from "@genai/protocol";
import { until } from "@genai/testing";
import { expect, test } from "@jest/globals";
import { api } from "../support/api.ts";
import { LegacyNode } from "../support/legacy-node.ts";
import { RealServer } from "../support/real-server.ts";
import { ModernNode } from "./support/modern-node.ts";
import { described, png } from "./support/pictures.ts";
import { setup } from "./support/setup.ts";

const put = async (url: string, body: Buffer): Promise<readonly [number, unknown]> => {
  const answer = await fetch(url, { method: "PUT", body: new Uint8Array(body) });
  const { code } = (await answer.json()) as { readonly code?: string };
  return [answer.status, code];
};

/** How the first attempt of a task as `/v2` shows it stands, and the code of its error. */
const firstAttempt = ({ attempts: [first] }: V2Task): readonly (string | undefined)[] => [
  first?.state,
  first?.error?.code,
];

test("check 35: while a result is looked at, no upload takes the place of what is looked at", async () => {
  let entered = (): void => {};
  let go = (): void => {};
  const looking = new Promise<void>((resolve) => {
    entered = resolve;
  });
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  await using gateway = await setup({
    before: (real) => ({
      put: real.put.bind(real),
      get: real.get.bind(real),
      delete: real.delete.bind(real),
      redirectUrl: real.redirectUrl.bind(real),
      uploadTo: real.uploadTo.bind(real),
      list: real.list.bind(real),
      close: () => real.close(),
      head: async (key) => {
        const head = await real.head(key);
        entered();
        await gate;
        return head;
      },
    }),
  });
  const peer = await gateway.modern("n");
  const attemptId = gateway.attempt("n");
  const url = gateway.httpUrl + gateway.urls.upload(attemptId, 60_000).replace("{n}", "0");
  const [good, evil] = [png(4, 4, 1), png(4, 4, 2)];
  expect(await put(url, good)).toEqual([201, undefined]);
  // One that lacks its last byte when the look begins, and one that begins during the look.
  const slow = request(url, { method: "PUT", headers: { "content-length": evil.length } });
  slow.on("error", () => {});
  const answered = once(slow, "response");
  slow.write(evil.subarray(0, -1));
  await until("the upload has begun", () => readdirSync(join(gateway.folder, "unfinished")).length > 0);
  peer.say({ type: "result", attemptId, artifacts: [described(good)] });
  await looking;
  slow.end(evil.subarray(-1));
  const [answer] = (await answered) as [IncomingMessage];
  answer.resume();
  expect(answer.statusCode).toBe(409);
  expect(await put(url, evil)).toEqual([409, "attempt_busy"]);
  go();
  expect(await gateway.events.next("completed")).toMatchObject({ attemptId });
  const served = await fetch(gateway.httpUrl + gateway.urls.download(`attempts/${attemptId}/0`, 60_000));
  expect(Buffer.from(await served.arrayBuffer())).toEqual(good);
});

test("check 35: an attempt brings as many pictures as its task asked for, and no more", async () => {
  await using server = await RealServer.start();
  await using node = await ModernNode.join(server.port, "modern");
  const pipeline = { type: "standard", prompt: "a fox", count: 2 };
  const created = await api(server.url).post("/v2/tasks").send({ pipeline }).expect(201);
  const task = await node.next("task");
  const at = (n: string | number): string => task.uploadUrl.replace("{n}", String(n));
  expect(await put(at(0), png())).toEqual([201, undefined]);
  expect(await put(at(1), png())).toEqual([201, undefined]);
  expect(await put(at(2), png())).toEqual([409, "too_many_artifacts"]);
  for (const n of ["0x1", "1e0", "01", "+1", "-1", "1.0", "%31%20", "9999999"]) {
    expect([n, await put(at(n), png())]).toEqual([n, [404, "artifact_not_found"]]);
  }
  const artifacts = [0, 1, 2].map(() => described(png()));
  node.peer.say({ type: "result", attemptId: task.attemptId, artifacts });
  await node.next("ack");
  const after = await api(server.url).get(`/v2/tasks/${created.body.id}`).expect(200);
  // The task itself may be on its next attempt by now.
  expect([after.body.result, firstAttempt(after.body)]).toEqual([null, ["failed", "too_many_artifacts"]]);
});

test("check 35: the pictures of an attempt have a limit together, however they come", async () => {
  await using server = await RealServer.start({ MAX_ATTEMPT_BYTES: "2KiB", MAX_GRAPH_PICTURES: "3" });
  await using node = await ModernNode.join(server.port, "modern");
  const pipeline = { type: "comfy", workflow: { "1": { class_type: "SaveImage", inputs: {} } } };
  const created = await api(server.url).post("/v2/tasks").send({ pipeline }).expect(201);
  const task = await node.next("task");
  const at = (n: number): string => task.uploadUrl.replace("{n}", String(n));
  const picture = Buffer.concat([png(), Buffer.alloc(900)]);
  expect(await put(at(0), picture)).toEqual([201, undefined]);
  expect(await put(at(1), picture)).toEqual([201, undefined]);
  expect(await put(at(2), picture)).toEqual([413, "body_too_large"]);
  // In the place of another it fits.
  expect(await put(at(1), picture)).toEqual([201, undefined]);
  expect(await put(at(3), png())).toEqual([409, "too_many_artifacts"]);
  const artifacts = [0, 1, 2].map(() => described(picture));
  node.peer.say({ type: "result", attemptId: task.attemptId, artifacts });
  await node.next("ack");
  const after = await api(server.url).get(`/v2/tasks/${created.body.id}`).expect(200);
  expect(firstAttempt(after.body)).toEqual(["failed", "result_too_large"]);
});

test("check 35: what a failed attempt brought is removed", async () => {
  await using server = await RealServer.start();
  await using node = await ModernNode.join(server.port, "modern");
  await api(server.url)
    .post("/v2/tasks")
    .send({ pipeline: { type: "standard", prompt: "a fox" } })
    .expect(201);
  const task = await node.next("task");
  expect(await node.upload(task, png())).toBe(201);
  const picture = join(server.home, "artifacts", "attempts", task.attemptId, "0");
  expect(existsSync(picture)).toBe(true);
  const error = { code: "engine_down", message: "gone", retryable: true };
  node.peer.say({ type: "error", attemptId: task.attemptId, ...error });
  await until("the picture is gone", () => !existsSync(picture));
});

test("check 35: a legacy node's result is bounded as a graph's is", async () => {
  await using server = await RealServer.start({ MAX_GRAPH_PICTURES: "3", MAX_ATTEMPT_BYTES: "2KiB" });
  await using node = await LegacyNode.join(server.url, "legacy");
  const results = [
    { sent: 3, bytes: 0, ending: ["succeeded", undefined] },
    { sent: 4, bytes: 0, ending: ["failed", "too_many_artifacts"] },
    { sent: 3, bytes: 1_000, ending: ["failed", "result_too_large"] },
  ];
  for (const { sent, bytes, ending } of results) {
    const created = await api(server.url)
      .post("/v2/tasks")
      .send({ pipeline: { type: "standard", prompt: "a fox" } })
      .expect(201);
    const taskId = await node.nextTask();
    const picture = `data:image/png;base64,${Buffer.concat([png(), Buffer.alloc(bytes)]).toString("base64")}`;
    node.finish(
      taskId,
      Array.from({ length: sent }, () => picture),
    );
    let first: ReturnType<typeof firstAttempt> = [];
    await until("the first attempt has ended", async () => {
      const { body } = await api(server.url).get(`/v2/tasks/${created.body.id}`).expect(200);
      first = firstAttempt(body);
      return first[0] !== "assigned" && first[0] !== "running";
    });
    expect(first).toEqual(ending);
    await api(server.url).post(`/v2/tasks/${created.body.id}/cancel`);
  }
});
