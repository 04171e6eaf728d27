import { afterEach, expect, jest, test } from "@jest/globals";
import { pino } from "pino";
import { Webhook } from "standardwebhooks";
import { createAddressPolicy } from "../../src/egress/address-policy.ts";
import { createEgress } from "../../src/egress/guarded-fetch.ts";
import { RETRY_DELAYS_MS, readRetryAfterMs, retryDelayMs } from "../../src/webhooks/retry-schedule.ts";
import { WEBHOOK_TIMEOUT_MS, WebhookDeliverer } from "../../src/webhooks/webhook-deliverer.ts";
import { WebhookSecrets } from "../../src/webhooks/webhook-secrets.ts";
import { type Received, Sink } from "./support/sink.ts";
import { VirtualOutbox } from "./support/virtual-outbox.ts";

const HOUR_MS = 3_600_000;

afterEach(() => {
  jest.useRealTimers();
});

/** A deliverer over a clock that the test moves, with the sinks of loopback and of `*.test` allowed. */
async function setup(hosts: readonly string[] = [], timeoutMs?: number) {
  const outbox = new VirtualOutbox();
  const sink = await Sink.start();
  const documents = new Map<string, string>();
  const secrets = new WebhookSecrets("a root secret of the tests", {
    readDocument: async (name) => documents.get(name) ?? null,
    writeDocument: async (name, text) => void documents.set(name, text),
  });
  const egress = createEgress(createAddressPolicy(["127.0.0.1", ...hosts]), {
    resolver: (host, _how, done) =>
      done(null, [{ address: host === "inside.example" ? "10.0.0.2" : "127.0.0.1", family: 4 }]),
  });
  const deliverer = new WebhookDeliverer({
    store: outbox.store,
    egress,
    secrets,
    logger: pino({ level: "silent" }),
    wallMs: () => outbox.nowMs,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  return {
    outbox,
    sink,
    secrets,
    deliverer,
    /** Everything that is due now is tried. */
    round: async () => {
      await deliverer.takeDue();
      await deliverer.idle();
    },
    async [Symbol.asyncDispose]() {
      deliverer.close();
      await egress.close();
      await deliverer.idle();
      await sink[Symbol.asyncDispose]();
    },
  };
}

/** Moves what `standardwebhooks` takes for the time. */
function setDate(nowMs: number): void {
  jest.useFakeTimers({
    now: nowMs,
    doNotFake: [
      "hrtime",
      "nextTick",
      "performance",
      "queueMicrotask",
      "setImmediate",
      "clearImmediate",
      "setInterval",
      "clearInterval",
      "setTimeout",
      "clearTimeout",
    ],
  });
}

function headersOf({ headers }: Received): Record<string, string> {
  return Object.fromEntries(
    ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => [name, String(headers[name])]),
  );
}

test("check 25: a sink that is down for an hour gets every webhook, under one id each and with a signature that verifies", async () => {
  await using bundle = await setup();
  const { outbox, sink, secrets } = bundle;
  const startMs = outbox.nowMs;
  const old = (await secrets.live("alice", startMs))[0] as string;
  const current = await secrets.rotate("alice", startMs, 2 * HOUR_MS);
  const ids = Array.from({ length: 50 }, (_, n) => `task-${n}`);
  for (const id of ids) outbox.add(id, sink.url());
  sink.answer = (response) => void response.writeHead(outbox.nowMs < startMs + HOUR_MS ? 503 : 200).end();
  let rounds = 0;
  while (outbox.nextAtMs !== null && rounds < 1_000) {
    outbox.nowMs = Math.max(outbox.nowMs, outbox.nextAtMs);
    setDate(outbox.nowMs);
    const before = sink.received.length;
    await bundle.round();
    for (const received of sink.received.slice(before)) {
      const headers = headersOf(received);
      const verified = new Webhook(current).verify(received.body, headers);
      expect(verified).toMatchObject({ data: { taskId: headers["webhook-id"] } });
      const inOverlap = outbox.nowMs < startMs + 2 * HOUR_MS;
      if (inOverlap) expect(() => new Webhook(old).verify(received.body, headers)).not.toThrow();
      else expect(() => new Webhook(old).verify(received.body, headers)).toThrow("No matching signature");
    }
    rounds += 1;
  }
  const states = ids.map((id) => outbox.last(id)?.state);
  const tries = ids.map((id) => outbox.outcomes.get(id)?.length ?? 0);
  expect(new Set(states)).toEqual(new Set(["delivered"]));
  expect(new Set(sink.received.map(({ headers }) => headers["webhook-id"])).size).toBe(ids.length);
  const laterMs = outbox.nowMs - startMs;
  console.info(
    `check 25: sink down 1 h (virtual): ${states.length} of ${ids.length} delivered, ${Math.max(...tries)} tries at most, ` +
      `the last ${Math.round(laterMs / 60_000)} min after the task's end; every try verified by standardwebhooks`,
  );
});

test("check 25: a hundred dead sinks delay a healthy one by less than a second", async () => {
  const dead = Array.from({ length: 100 }, (_, n) => `dead-${n}.test`);
  await using bundle = await setup([...dead, "healthy.test"]);
  const { outbox, sink } = bundle;
  await using black = await Sink.start();
  black.answer = () => {};
  for (const host of dead) for (let n = 0; n < 20; n += 1) outbox.add(`${host}-${n}`, black.url(host));
  for (let n = 0; n < 20; n += 1) outbox.add(`healthy-${n}`, sink.url("healthy.test"));
  const startedAtMs = performance.now();
  await bundle.deliverer.takeDue();
  await sink.called(20);
  const delayMs = Math.max(...sink.received.map(({ atMs }) => atMs)) - startedAtMs;
  console.info(
    `check 25: 2000 webhooks to 100 sinks that hang: the healthy one's 20 were there after ${Math.round(delayMs)} ms`,
  );
  expect(delayMs).toBeLessThan(1_000);
});

test("check 25: an answer of 3xx is a failure, and nobody follows it", async () => {
  await using bundle = await setup();
  bundle.sink.answer = (response) => void response.writeHead(302, { location: "/elsewhere" }).end();
  bundle.outbox.add("t", bundle.sink.url());
  await bundle.round();
  expect(bundle.outbox.last("t")).toMatchObject({
    state: "waiting",
    httpStatus: 302,
    note: "Redirects are not followed.",
  });
  expect(bundle.sink.received).toHaveLength(1);
});

test("check 25: a sink that answers 410 is asked no more, by this user", async () => {
  await using bundle = await setup();
  const { outbox, sink } = bundle;
  sink.answer = (response) => void response.writeHead(410).end();
  outbox.add("first", sink.url());
  await bundle.round();
  outbox.add("second", sink.url());
  outbox.add("foreign", sink.url(), "bob");
  await bundle.round();
  expect(outbox.last("first")).toMatchObject({ state: "dead", httpStatus: 410 });
  expect(outbox.last("second")).toMatchObject({ state: "dead", httpStatus: null });
  expect(sink.received.map(({ headers }) => headers["webhook-id"])).toEqual(["first", "foreign"]);
});

test("a sink's Retry-After is obeyed, and its host left alone meanwhile", async () => {
  await using bundle = await setup();
  const { outbox, sink } = bundle;
  sink.answer = (response) => void response.writeHead(429, { "retry-after": "3600" }).end();
  outbox.add("first", sink.url());
  await bundle.round();
  expect(outbox.last("first")).toMatchObject({ state: "waiting", retryInMs: HOUR_MS });
  outbox.add("second", sink.url());
  await bundle.round();
  expect(sink.received).toHaveLength(1);
  expect(outbox.outcomes.get("second")).toBeUndefined();
});

test.each([
  ["a wrong path", 404, {}],
  ["a path that is overloaded", 503, {}],
  ["a path that asks for patience", 429, { "retry-after": "3600" }],
] as const)(
  "a user's webhooks to %s of a host do not delay another user's to that host",
  async (_name, status, headers) => {
    await using bundle = await setup();
    const { outbox, sink } = bundle;
    sink.answer = (response, { body }) => response.writeHead(body.includes("mallory") ? status : 204, headers).end();
    outbox.add("bob-0", sink.url(), "bob");
    await bundle.round();
    for (let n = 0; n < 300; n += 1) outbox.add(`mallory-${n}`, sink.url(), "mallory");
    await bundle.round();
    for (let n = 1; n <= 50; n += 1) outbox.add(`bob-${n}`, sink.url(), "bob");
    await bundle.round();
    for (let n = 0; n <= 50; n += 1) expect(outbox.last(`bob-${n}`)).toMatchObject({ state: "delivered" });
  },
);

test("a user's webhooks to one wrong path do not delay their own to others of that host", async () => {
  await using bundle = await setup();
  const { outbox, sink } = bundle;
  sink.answer = (response, { body }) => response.writeHead(body.includes("wrong") ? 404 : 204).end();
  outbox.add("right-0", sink.url());
  await bundle.round();
  for (let n = 0; n < 20; n += 1) outbox.add(`wrong-${n}`, sink.url());
  await bundle.round();
  for (let n = 1; n <= 50; n += 1) outbox.add(`right-${n}`, sink.url());
  await bundle.round();
  for (let n = 0; n <= 50; n += 1) expect(outbox.last(`right-${n}`)).toMatchObject({ state: "delivered" });
});

test("a host that many users wait for, and that hangs, leaves room for the others", async () => {
  await using bundle = await setup(["black.test", "well.test"]);
  const { outbox, sink, deliverer } = bundle;
  await using black = await Sink.start();
  black.answer = () => {};
  for (let n = 0; n < 1_000; n += 1) outbox.add(`black-${n}`, black.url("black.test"), `user-${n}`);
  await deliverer.takeDue();
  outbox.add("bob", sink.url("well.test"), "bob");
  await deliverer.takeDue();
  await sink.called(1);
  expect(black.received.length).toBeLessThanOrEqual(64);
});

test("check 25: a sink has 15 s to answer, and a webhook ends after ten tries", async () => {
  expect(WEBHOOK_TIMEOUT_MS).toBe(15_000);
  await using bundle = await setup([], 50);
  const { outbox, sink } = bundle;
  sink.answer = () => {};
  outbox.add("t", sink.url());
  while (outbox.nextAtMs !== null) {
    outbox.nowMs = Math.max(outbox.nowMs, outbox.nextAtMs);
    await bundle.round();
  }
  const tries = outbox.outcomes.get("t") ?? [];
  expect(tries).toHaveLength(10);
  expect(tries[0]).toMatchObject({ state: "waiting", httpStatus: null, note: "No answer within 0.05 s." });
  expect(tries.at(-1)?.state).toBe("dead");
});

test("a sink inside of our network is never asked, and nobody is told its address", async () => {
  await using bundle = await setup();
  bundle.outbox.add("literal", "http://10.0.0.1/hook");
  bundle.outbox.add("named", "http://inside.example/hook");
  await bundle.round();
  expect(bundle.outbox.last("literal")).toMatchObject({
    state: "dead",
    note: "10.0.0.1 is not on the public internet. An administrator can allow it with EGRESS_ALLOW.",
  });
  expect(bundle.outbox.last("named")).toMatchObject({
    state: "waiting",
    note: "The sink is not on the public internet.",
  });
});

test("webhooks that find no room beside others of a host that is away are tried later", async () => {
  await using bundle = await setup([], 10);
  const { outbox } = bundle;
  await using black = await Sink.start();
  black.answer = () => {};
  for (let n = 0; n < 55; n += 1) outbox.add(`hung-${n}`, black.url());
  await bundle.round();
  expect(outbox.last("hung-0")?.state).toBe("waiting");
  expect(outbox.last("hung-54")).toBeUndefined();
  outbox.nowMs += 2_000;
  await bundle.round();
  expect(outbox.last("hung-50")?.state).toBe("waiting");
});

test("delays are those of Standard Webhooks, a tenth longer or shorter, and at least what the sink asks", () => {
  expect(RETRY_DELAYS_MS.map((ms) => ms / 1_000)).toEqual([
    0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
  ]);
  expect([retryDelayMs(1, null, 0), retryDelayMs(1, null, 0.5), retryDelayMs(1, null, 1)]).toEqual([
    4_500, 5_000, 5_500,
  ]);
  expect(retryDelayMs(1, 60_000, 0.5)).toBe(60_000);
  expect(retryDelayMs(1, 1e12, 0.5)).toBe(24 * HOUR_MS);
  expect(retryDelayMs(10, null, 0.5)).toBeNull();
});

test.each([
  [undefined, null],
  ["120", 120_000],
  ["soon", null],
  ["-1", null],
  ["Thu, 01 Jan 1970 00:02:00 GMT", 60_000],
  ["Thu, 01 Jan 1970 00:00:30 GMT", 0],
])("a Retry-After of %s is read as %p ms", (header, ms) => {
  expect(readRetryAfterMs(header, 60_000)).toBe(ms);
});
