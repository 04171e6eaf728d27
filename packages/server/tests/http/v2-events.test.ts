import { expect, test } from "@jest/globals";
import { EventReader } from "../support/event-reader.ts";
import { TestHttpServer } from "../support/http-server.ts";
import { postJson, rawHttp } from "../support/raw-http.ts";

const KEY = { name: "", role: "user", weight: null, queuedMax: null, runningMax: null } as const;
const FOX = { pipeline: { type: "standard", prompt: "a fox" } };

async function setup() {
  const server = await TestHttpServer.start();
  const id = String((await postJson(`${server.url}/v2/tasks`, FOX)).json().id);
  return { server, id, url: `${server.url}/v2/tasks/${id}/events` };
}

test("a stream tells every state from the first on, then ends", async () => {
  const { server, id, url } = await setup();
  await using _ = server;
  await using reader = await EventReader.open(url);
  expect(reader.headers["content-type"]).toMatch(/^text\/event-stream/);
  expect(await reader.next()).toMatchObject({
    id: "1",
    event: "state",
    data: { taskId: id, number: 1, state: "queued" },
  });
  server.tasks.move(id, "running", { attempt: 1, nodeId: "n" });
  expect(await reader.next()).toMatchObject({ id: "2", data: { state: "running", attempt: 1, nodeId: "n" } });
  server.tasks.settle(id, { state: "succeeded" });
  expect(await reader.rest()).toMatchObject([{ id: "3", data: { state: "succeeded" } }]);
  expect(server.tasks.listenerCount).toBe(0);
});

test("a stream ends soon after the key of its reader was revoked, and no event is told to it from then on", async () => {
  await using server = await TestHttpServer.start({ enforced: true, settings: { keepAliveMs: 50 } });
  const { key, secret } = await server.credentials.createApiKey("ann", KEY, null);
  const token = { authorization: `Bearer ${secret}` };
  await using reader = await EventReader.open(`${server.url}/v2/events`, token);
  expect(await reader.next()).toMatchObject({ event: "ready" });
  const before = String((await postJson(`${server.url}/v2/tasks`, FOX, token)).json().id);
  expect(await reader.next()).toMatchObject({ data: { taskId: before, state: "queued" } });
  await server.credentials.revokeApiKey(key.keyId);
  expect(await reader.rest()).toEqual([]);
  expect(server.tasks.listenerCount).toBe(0);
});

test("progress and previews are told live and carry no id", async () => {
  const { server, id, url } = await setup();
  await using _ = server;
  await using reader = await EventReader.open(url);
  await reader.next();
  const about = { taskId: id, userId: "anonymous", attempt: 1 };
  server.tasks.tell({ type: "progress", ...about, value: 0.5, stage: "sampling" });
  expect(await reader.next()).toEqual({
    id: null,
    event: "progress",
    data: { taskId: id, attempt: 1, value: 0.5, stage: "sampling" },
  });
  server.tasks.tell({ type: "preview", ...about, mime: "image/png", bytes: Buffer.from("png") });
  expect(await reader.next()).toMatchObject({
    id: null,
    event: "preview",
    data: { mime: "image/png", base64: "cG5n" },
  });
});

test("a stream resumes after Last-Event-ID without a gap", async () => {
  const { server, id, url } = await setup();
  await using _ = server;
  for (const state of ["running", "queued", "running"] as const) server.tasks.move(id, state);
  await using reader = await EventReader.open(url, { "last-event-id": "2" });
  server.tasks.settle(id, { state: "failed", error: { code: "task_failed", message: "no" } });
  expect((await reader.rest()).map((event) => event.id)).toEqual(["3", "4", "5"]);
});

test("a reader that has the last event of an ended task is told 204, so that it stops coming back", async () => {
  const { server, id, url } = await setup();
  await using _ = server;
  server.tasks.settle(id, { state: "canceled" });
  expect((await rawHttp("GET", url, { headers: { "last-event-id": "2" } })).status).toBe(204);
});

test.each(["3", "-1", "abc", "99999999999999999999"])(
  "Last-Event-ID %s, which has not happened, is refused",
  async (lastEventId) => {
    const { server, url } = await setup();
    await using _ = server;
    const answer = await rawHttp("GET", url, { headers: { "last-event-id": lastEventId } });
    expect(answer.status).toBe(400);
    expect(answer.json().code).toBe("event_id_unknown");
  },
);

test("a slow reader gets every state and the latest progress only", async () => {
  const { server, id, url } = await setup();
  await using _ = server;
  await using reader = await EventReader.open(url);
  await reader.next();
  reader.pause();
  const preview = Buffer.alloc(400_000, 7);
  const about = { taskId: id, userId: "anonymous", attempt: 1 };
  for (let step = 1; step <= 200; step += 1) {
    server.tasks.tell({ type: "preview", ...about, mime: "image/png", bytes: preview });
    server.tasks.tell({ type: "progress", ...about, value: step / 200, stage: "" });
    if (step % 20 === 0) await new Promise(setImmediate);
  }
  reader.resume();
  const seen: (number | string)[] = [];
  while (seen.at(-1) !== 1) {
    const event = await reader.next();
    if (event?.event === "progress") seen.push(event.data.value as number);
  }
  expect(seen.length).toBeLessThan(150);
  server.tasks.settle(id, { state: "succeeded" });
  expect((await reader.rest()).filter((event) => event.event === "state").map((event) => event.id)).toEqual(["2"]);
});

test("a thousand readers that never read cost little memory and hold nobody up", async () => {
  const { server, id, url } = await setup();
  await using _ = server;
  const readers = await Promise.all(Array.from({ length: 1_000 }, () => EventReader.open(url)));
  for (const reader of readers) reader.pause();
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const about = { taskId: id, userId: "anonymous", attempt: 1 };
  for (let step = 1; step <= 50; step += 1) {
    server.tasks.tell({ type: "preview", ...about, mime: "image/png", bytes: Buffer.alloc(100_000, step) });
    await new Promise(setImmediate);
  }
  const grownBytes = process.memoryUsage().rss - before;
  // 5 GB were told; what is held is a frame or two that all share, and the sockets' own buffers.
  expect(grownBytes).toBeLessThan(400_000_000);
  expect((await rawHttp("GET", `${server.url}/v2/tasks/${id}`)).status).toBe(200);
  for (const reader of readers) reader.cut();
  // A thousand sockets of each side in one process take their time on a busy machine.
}, 90_000);

test("an event that nobody was told of comes in the stream of all tasks before the next one", async () => {
  const { server, id } = await setup();
  await using _ = server;
  const other = String((await postJson(`${server.url}/v2/tasks`, FOX)).json().id);
  await using reader = await EventReader.open(`${server.url}/v2/events`);
  expect((await reader.next())?.event).toBe("ready");
  server.tasks.move(id, "running");
  expect(await reader.next()).toMatchObject({ data: { taskId: id, state: "running" } });
  server.tasks.move(other, "failed", {}, { elsewhere: true });
  server.tasks.move(id, "queued");
  expect(await reader.next()).toMatchObject({ data: { taskId: other, state: "failed" } });
  expect(await reader.next()).toMatchObject({ data: { taskId: id, state: "queued" } });
});

test("the stream of all tasks tells each event once and resumes without a gap, from its very beginning", async () => {
  const { server, id } = await setup();
  await using _ = server;
  const url = `${server.url}/v2/events`;
  const reader = await EventReader.open(url);
  const ready = await reader.next();
  expect(ready?.event).toBe("ready");
  reader.cut();
  server.tasks.move(id, "running");
  const other = String((await postJson(`${server.url}/v2/tasks`, FOX)).json().id);
  await postJson(`${server.url}/v2/tasks`, FOX, { token: "somebody else" });
  await using resumed = await EventReader.open(url, { "last-event-id": ready?.id ?? "" });
  expect(await resumed.next()).toMatchObject({ event: "state", data: { taskId: id, state: "running" } });
  expect(await resumed.next()).toMatchObject({ data: { taskId: other, state: "queued" } });
  server.tasks.settle(other, { state: "succeeded" });
  expect(await resumed.next()).toMatchObject({ data: { taskId: other, state: "succeeded" } });
  const future = await rawHttp("GET", url, { headers: { "last-event-id": "1000" } });
  expect(future.json().code).toBe("event_id_unknown");
});
