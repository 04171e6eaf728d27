import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Webhook } from "standardwebhooks";
import { postJson, rawHttp } from "../support/raw-http.ts";
import { RealServer } from "../support/real-server.ts";
import { Sink } from "../webhooks/support/sink.ts";

let server: RealServer;
beforeAll(async () => {
  server = await RealServer.start({ EGRESS_ALLOW: "127.0.0.1" });
});
afterAll(() => server[Symbol.asyncDispose]());

const ALICE = { token: "alice" };

/** A task that has ended, with a webhook to the sink. */
async function endedTask(sink: Sink): Promise<string> {
  const pipeline = { type: "standard", prompt: "a" };
  const { id } = (await postJson(`${server.url}/v2/tasks`, { pipeline, webhook: sink.url() }, ALICE)).json();
  expect((await postJson(`${server.url}/v2/tasks/${id}/cancel`, {}, ALICE)).status).toBe(200);
  return String(id);
}

async function get(path: string, headers: Record<string, string> = ALICE) {
  return await rawHttp("GET", `${server.url}${path}`, { headers });
}

/** The webhook once it is in this state. */
async function inState(id: string, state: string): Promise<Record<string, unknown>> {
  for (;;) {
    const delivery = (await get(`/v2/webhooks/deliveries/${id}`)).json();
    if (delivery.state === state) return delivery;
    await new Promise(setImmediate);
  }
}

test("a task's end is told to its webhook, signed with a secret that only its user has", async () => {
  await using sink = await Sink.start();
  const { secret } = (await postJson(`${server.url}/v2/webhooks/secret`, {}, ALICE)).json();
  const id = await endedTask(sink);
  await sink.called(1);
  const [received] = sink.received;
  const names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
  const headers = Object.fromEntries(names.map((name) => [name, String(received?.headers[name])]));
  expect(headers["webhook-id"]).toBe(id);
  expect(new Webhook(String(secret)).verify(received?.body ?? "", headers)).toMatchObject({
    type: "task.canceled",
    data: { taskId: id },
  });
  const { secret: foreign } = (await postJson(`${server.url}/v2/webhooks/secret`, {}, { token: "bob" })).json();
  expect(() => new Webhook(String(foreign)).verify(received?.body ?? "", headers)).toThrow("No matching signature");
  expect(await inState(id, "delivered")).toMatchObject({ id, url: sink.url(), tries: 1, nextTryAt: null });
});

test("a dead letter is listed, shown with its tries, and sent again under its id once its user says so", async () => {
  await using sink = await Sink.start();
  sink.answer = (response) => void response.writeHead(410).end();
  const id = await endedTask(sink);
  expect(await inState(id, "dead")).toMatchObject({ log: [{ number: 1, status: 410 }] });
  const { deliveries } = (await get("/v2/webhooks/deliveries?state=dead")).json();
  expect(deliveries).toMatchObject([{ id, state: "dead", note: "The sink wants no more of these." }]);
  sink.answer = (response) => void response.writeHead(200).end();
  expect((await postJson(`${server.url}/v2/webhooks/deliveries/${id}/replay`, {}, ALICE)).status).toBe(200);
  expect(await inState(id, "delivered")).toMatchObject({ log: [{ status: 410 }, { status: 200 }] });
  expect(sink.received.map(({ headers }) => headers["webhook-id"])).toEqual([id, id]);
});

test("the webhooks of a time are sent again together", async () => {
  await using sink = await Sink.start();
  const since = new Date(Date.now() - 1).toISOString();
  const ids = [await endedTask(sink), await endedTask(sink)];
  for (const id of ids) await inState(id, "delivered");
  const answer = await postJson(`${server.url}/v2/webhooks/replay`, { since, state: "delivered" }, ALICE);
  expect(answer.json()).toEqual({ replayed: 2 });
  await sink.called(4);
});

test("a list of webhooks goes on from page to page", async () => {
  await using sink = await Sink.start();
  const ids = [await endedTask(sink), await endedTask(sink), await endedTask(sink)].reverse();
  const first = (await get("/v2/webhooks/deliveries?limit=2")).json();
  expect((first.deliveries as { id: string }[]).map(({ id }) => id)).toEqual(ids.slice(0, 2));
  const second = (await get(`/v2/webhooks/deliveries?limit=1&cursor=${first.next}`)).json();
  expect(second.deliveries).toMatchObject([{ id: ids[2] }]);
});

test("another user's webhook is not there", async () => {
  await using sink = await Sink.start();
  const id = await endedTask(sink);
  const answer = await get(`/v2/webhooks/deliveries/${id}`, { token: "bob" });
  expect([answer.status, answer.json().code]).toEqual([404, "delivery_not_found"]);
  expect((await get("/v2/webhooks/deliveries", { token: "bob" })).json()).toEqual({ deliveries: [], next: null });
});

test.each([
  "http://10.0.0.1/",
  "http://localhost/",
  "http://[::1]/",
  "http://169.254.169.254/",
  "http://a.example:25/",
])("a webhook to %s is refused with the task", async (webhook) => {
  const answer = await postJson(
    `${server.url}/v2/tasks`,
    { pipeline: { type: "standard", prompt: "a" }, webhook },
    ALICE,
  );
  expect([answer.status, answer.json().errors]).toMatchObject([400, [{ field: "webhook" }]]);
});
