import { randomUUID } from "node:crypto";
import { expect, test } from "@jest/globals";
import type { NewCredential } from "../../../src/identity/credential-store.ts";
import type { ServerStore } from "../../../src/storage/index.ts";
import { TRIES_KEPT_MAX, type TryOutcome } from "../../../src/webhooks/delivery-store.ts";
import { inserted, newTask, opened, settled } from "./builders.ts";

/** What a suite needs of an adapter. Each test gets an empty store of its own. */
interface GuardStoreUnderTest {
  readonly store: ServerStore;
  reopen(): Promise<ServerStore>;
  [Symbol.asyncDispose](): Promise<void>;
}

const FAILED: TryOutcome = { state: "waiting", retryInMs: -1, atMs: 10, durationMs: 20, httpStatus: 503, note: "503" };

/** What holds for webhooks and credentials in every store. */
export function describeGuardStore(setup: () => Promise<GuardStoreUnderTest>): void {
  test("a webhook is its user's own, with every try that was made for it", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [first, second, foreign] = await ended(store, ["alice", "alice", "bob"]);
    expect((await store.deliveriesOf("alice", null, 10, null)).map(({ deliveryId }) => deliveryId)).toEqual([
      second,
      first,
    ]);
    expect((await store.deliveriesOf("alice", null, 1, null)).map(({ deliveryId }) => deliveryId)).toEqual([second]);
    expect((await store.deliveriesOf("alice", null, 9, second as string)).map(({ deliveryId }) => deliveryId)).toEqual([
      first,
    ]);
    expect(await store.deliveriesOf("nobody", null, 10, null)).toEqual([]);
    await store.outboxTried(first as string, FAILED);
    await store.outboxTried(first as string, { ...FAILED, state: "dead", httpStatus: null, note: "no answer" });
    await store.outboxTried(second as string, { ...FAILED, state: "delivered", httpStatus: 204, note: "204" });
    await store.outboxTried(randomUUID(), FAILED);
    expect(await store.delivery(first as string)).toMatchObject({
      deliveryId: first,
      userId: "alice",
      url: "https://example.com/hook",
      state: "dead",
      tries: 2,
      nextTryAtMs: null,
      note: "no answer",
    });
    expect(await store.triesOf(first as string)).toEqual([
      { number: 1, atMs: 10, durationMs: 20, httpStatus: 503, note: "503" },
      { number: 2, atMs: 10, durationMs: 20, httpStatus: null, note: "no answer" },
    ]);
    const idsOf = async (state: "waiting" | "delivered" | "dead", userId: string) =>
      (await store.deliveriesOf(userId, state, 10, null)).map(({ deliveryId }) => deliveryId);
    expect(await idsOf("dead", "alice")).toEqual([first]);
    expect(await idsOf("delivered", "alice")).toEqual([second]);
    expect(await idsOf("waiting", "bob")).toEqual([foreign]);
    expect(await store.webhookBacklog()).toMatchObject({ waiting: 1, dead: 1, oldestAtMs: expect.any(Number) });
    expect(await store.delivery(randomUUID())).toBeNull();
  });

  test("a webhook that is replayed is due from the start again, and its log goes on, bounded", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [id] = (await ended(store, ["alice"])) as [string];
    for (let n = 0; n < TRIES_KEPT_MAX + 3; n += 1) await store.outboxTried(id, FAILED);
    await store.outboxTried(id, { ...FAILED, state: "dead" });
    expect(await store.outboxDue(10, 60_000)).toEqual([]);
    expect(await store.replayDelivery(id)).toBe(true);
    expect(await store.replayDelivery(randomUUID())).toBe(false);
    expect(await store.outboxDue(10, 60_000)).toMatchObject([{ outboxId: id, tries: 0 }]);
    const tries = await store.triesOf(id);
    expect([tries.length, tries[0]?.number, tries.at(-1)?.number]).toEqual([TRIES_KEPT_MAX, 5, TRIES_KEPT_MAX + 4]);
  });

  test("webhooks of a time are replayed together, by what became of them, one's own only", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [dead, delivered, foreign] = (await ended(store, ["alice", "alice", "bob"])) as [string, string, string];
    await store.outboxTried(dead, { ...FAILED, state: "dead" });
    await store.outboxTried(delivered, { ...FAILED, state: "delivered" });
    await store.outboxTried(foreign, { ...FAILED, state: "dead" });
    expect(await store.replayDeliveries("alice", 0, 99, null)).toBe(0);
    expect(await store.replayDeliveries("alice", 0, 200, "dead")).toBe(1);
    expect((await store.outboxDue(10, 60_000)).map(({ outboxId }) => outboxId)).toEqual([dead]);
    expect(await store.replayDeliveries("alice", 0, 200, null)).toBe(2);
  });

  test("webhooks that are put off are due later, and an ended one stays ended", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [one, two] = (await ended(store, ["alice", "alice"])) as [string, string];
    await store.outboxTried(two, { ...FAILED, state: "delivered" });
    await store.outboxDeferred([one, two], 60_000);
    expect(await store.outboxDue(10, 1_000)).toEqual([]);
    await store.outboxDeferred([one, two], -1);
    expect((await store.outboxDue(10, 1_000)).map(({ outboxId, tries }) => [outboxId, tries])).toEqual([[one, 0]]);
  });

  test("what a deleted task's webhook left goes with it", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const [id] = (await ended(store, ["alice"])) as [string];
    await store.outboxTried(id, FAILED);
    await store.commit([{ type: "taskDeleted", taskId: id }]);
    expect([await store.delivery(id), await store.triesOf(id)]).toEqual([null, []]);
  });

  test("a sink that wants no more is remembered until it is asked again", async () => {
    await using bundle = await setup();
    expect(await bundle.store.sinkIsStopped("k")).toBe(false);
    await bundle.store.setSinkStopped("k", true);
    await bundle.store.setSinkStopped("k", true);
    const store = await bundle.reopen();
    expect(await store.sinkIsStopped("k")).toBe(true);
    await store.setSinkStopped("k", false);
    expect(await store.sinkIsStopped("k")).toBe(false);
  });

  test("credentials are kept by their hashes, and each change is told in order", async () => {
    await using bundle = await setup();
    const key = credential({ details: '{"role":"user"}' });
    expect(await bundle.store.addCredential(key)).toBe("added");
    expect(await bundle.store.addCredential({ ...key, credentialId: randomUUID() })).toBe("taken");
    expect(await bundle.store.addCredential(credential({ subject: "bob" }))).toBe("added");
    const store = await bundle.reopen();
    const all = await store.credentialsAfter(0, 10);
    expect(all).toMatchObject([{ ...key, createdAtMs: expect.any(Number), revokedAtMs: null }, { subject: "bob" }]);
    const last = all.at(-1)?.revision ?? 0;
    expect(await store.credentialsAfter(last, 10)).toEqual([]);
    expect(await store.revokeCredential(key.credentialId)).toBe(true);
    expect(await store.revokeCredential(key.credentialId)).toBe(false);
    expect(await store.revokeCredential(randomUUID())).toBe(false);
    expect(await store.credentialsAfter(last, 10)).toMatchObject([
      { credentialId: key.credentialId, revokedAtMs: expect.any(Number) },
    ]);
    expect(await store.credentialsAfter(0, 1)).toHaveLength(1);
  });

  test("an enrolment is good for as many keys as it says, however many ask at once", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const enrolment = credential({ kind: "enrolment", subject: "", usesLeft: 2 });
    await store.addCredential(enrolment);
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, n) => store.redeemEnrolment(enrolment.secretHash, nodeKey(`node-${n}`))),
    );
    expect(outcomes.filter((outcome) => outcome === "redeemed")).toHaveLength(2);
    expect(outcomes.filter((outcome) => outcome === "refused")).toHaveLength(6);
    const keys = (await store.credentialsAfter(0, 100)).filter(({ kind }) => kind === "node_key");
    expect(keys).toHaveLength(2);
  });

  test("an enrolment that expired, was revoked or never was gives no key", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const expired = credential({ kind: "enrolment", expiresAtMs: Date.now() - 1 });
    const revoked = credential({ kind: "enrolment" });
    const apiKey = credential({});
    for (const each of [expired, revoked, apiKey]) await store.addCredential(each);
    await store.revokeCredential(revoked.credentialId);
    for (const { secretHash } of [expired, revoked, apiKey, credential({})]) {
      expect(await store.redeemEnrolment(secretHash, nodeKey("n"))).toBe("refused");
    }
  });

  test("a node has one key at a time; a revoked one makes room, and a refused call spends nothing", async () => {
    await using bundle = await setup();
    const { store } = bundle;
    const enrolment = credential({ kind: "enrolment", usesLeft: 2 });
    await store.addCredential(enrolment);
    const first = nodeKey("n");
    expect(await store.redeemEnrolment(enrolment.secretHash, first)).toBe("redeemed");
    expect(await store.redeemEnrolment(enrolment.secretHash, nodeKey("n"))).toBe("taken");
    expect(await store.addCredential(nodeKey("n"))).toBe("taken");
    await store.revokeCredential(first.credentialId);
    expect(await store.redeemEnrolment(enrolment.secretHash, nodeKey("n"))).toBe("redeemed");
    expect(await store.redeemEnrolment(enrolment.secretHash, nodeKey("m"))).toBe("refused");
  });
}

/** Tasks with a webhook, one of each user named, that ended; their outbox rows are entered at 100. Their ids. */
async function ended(store: ServerStore, userIds: readonly string[]): Promise<readonly string[]> {
  const tasks = userIds.map((userId) => newTask({ userId, webhook: "https://example.com/hook" }));
  await store.commit(
    tasks.flatMap((task) => [inserted(task), opened(task.taskId), settled(task.taskId, { atMs: 100 })]),
  );
  return tasks.map(({ taskId }) => taskId);
}

function credential(fields: Partial<NewCredential>): NewCredential {
  return {
    credentialId: randomUUID(),
    kind: "api_key",
    secretHash: randomUUID(),
    subject: "alice",
    details: "{}",
    expiresAtMs: null,
    usesLeft: null,
    ...fields,
  };
}

function nodeKey(subject: string): NewCredential {
  return credential({ kind: "node_key", subject });
}
