import { expect, test } from "@jest/globals";
import { aHistory, aProvider, aTask } from "./support/builders.ts";
import { Fleet, sendsOf, settledOf } from "./support/fleet.ts";

/** One task at work on `p1`, and `p2` idle beside it. */
function setup() {
  const fleet = new Fleet();
  fleet.join("p1");
  fleet.submit("t1");
  fleet.join("p2");
  return fleet;
}

test("a task whose provider breaks is given to another three seconds later", () => {
  const fleet = setup();
  fleet.feed({ type: "providerLost", providerId: "p1", how: "broken" });
  expect(sendsOf(fleet.pass(2_999))).toEqual([]);
  expect(sendsOf(fleet.pass(1))).toEqual(["t1#2>p2"]);
});

test("a provider that comes back with its attempt makes it running again", () => {
  const fleet = setup();
  fleet.feed({ type: "providerLost", providerId: "p1", how: "broken" });
  fleet.pass(2_000);
  const effects = fleet.feed({
    type: "providerJoined",
    provider: aProvider("p1"),
    held: [{ taskId: "t1", attempt: 1 }],
  });
  expect(effects).toContainEqual(expect.objectContaining({ type: "attemptChanged", state: "running", attempt: 1 }));
  expect(sendsOf(fleet.pass(20_000))).toEqual([]);
  expect(settledOf(fleet.complete("t1", 1, "p1"))).toEqual({ t1: { state: "succeeded", attempt: 1 } });
});

test("a result of a lost attempt is accepted and the second attempt is aborted", () => {
  const fleet = setup();
  fleet.feed({ type: "providerLost", providerId: "p1", how: "broken" });
  fleet.pass(5_000);
  const effects = fleet.complete("t1", 1, "p1");
  expect(settledOf(effects)).toEqual({ t1: { state: "succeeded", attempt: 1 } });
  expect(effects).toContainEqual({ type: "abort", taskId: "t1", attempt: 2, providerId: "p2", reason: "superseded" });
});

test("a provider that comes back without its attempt has lost it at once", () => {
  const fleet = setup();
  fleet.feed({ type: "providerLost", providerId: "p1", how: "broken" });
  expect(sendsOf(fleet.join("p1"))).toHaveLength(1);
  expect(fleet.effects).toContainEqual(
    expect.objectContaining({ type: "attemptChanged", state: "expired", open: false }),
  );
});

test("a task of a legacy provider whose connection is gone is queued again at once", () => {
  const fleet = new Fleet();
  fleet.join("p1", { legacy: true });
  fleet.submit("t1");
  fleet.join("p2", { legacy: true });
  expect(sendsOf(fleet.feed({ type: "providerLost", providerId: "p1", how: "broken" }))).toEqual(["t1#2>p2"]);
});

test("a silent provider loses its attempt at the end of the lease and gets no more", () => {
  const fleet = setup();
  fleet.pass(20_000);
  fleet.feed({ type: "providerHeard", providerId: "p1" });
  expect(sendsOf(fleet.pass(29_999))).toEqual([]);
  expect(sendsOf(fleet.pass(1))).toEqual(["t1#2>p2"]);
  fleet.submit("t2");
  expect(fleet.dispatcher.provider("p1")?.silent).toBe(true);
  expect(sendsOf(fleet.feed({ type: "providerHeard", providerId: "p1" }))).toEqual(["t2#1>p1"]);
});

test("during an amnesty no silence ends a lease", () => {
  const fleet = setup();
  fleet.pass(29_000);
  fleet.feed({ type: "amnesty", forMs: 30_000 });
  expect(sendsOf(fleet.pass(29_000))).toEqual([]);
  expect(sendsOf(fleet.pass(1_000))).toEqual(["t1#2>p2"]);
});

test("the tenth loss fails the task", () => {
  const fleet = new Fleet();
  fleet.submit("t1");
  for (let loss = 1; loss <= 10; loss++) {
    expect(sendsOf(fleet.join("p1"))).toEqual([`t1#${loss}>p1`]);
    fleet.feed({ type: "providerLost", providerId: "p1", how: "left" });
  }
  expect(settledOf(fleet.effects)).toEqual({ t1: { state: "failed", code: "nodes_lost", attempt: null } });
});

test("an attempt from before a restart runs on when its provider lists it", () => {
  const fleet = new Fleet();
  const open = [{ attempt: 3, providerId: "p1", state: "running" as const, cost: 1, limitLeftMs: 60_000 }];
  fleet.feed({ type: "amnesty", forMs: 30_000 });
  fleet.feed({ type: "submit", task: aTask("t1", { history: aHistory({ lastAttempt: 3, open }) }) });
  fleet.join("p2");
  fleet.pass(10_000);
  const held = [{ taskId: "t1", attempt: 3 }];
  fleet.feed({ type: "providerJoined", provider: aProvider("p1"), held });
  fleet.pass(10_000);
  expect(sendsOf(fleet.effects)).toEqual([]);
  expect(settledOf(fleet.complete("t1", 3, "p1"))).toEqual({ t1: { state: "succeeded", attempt: 3 } });
});

test("an attempt from before a restart whose provider stays away is given out again at the end of its lease", () => {
  const fleet = new Fleet();
  const open = [{ attempt: 3, providerId: "p1", state: "running" as const, cost: 1, limitLeftMs: 60_000 }];
  fleet.feed({ type: "submit", task: aTask("t1", { history: aHistory({ lastAttempt: 3, open }) }) });
  fleet.join("p2");
  expect(sendsOf(fleet.pass(29_999))).toEqual([]);
  expect(sendsOf(fleet.pass(1))).toEqual(["t1#4>p2"]);
});

test("an attempt that comes back while its task backs off from another's fault is the only one at work", () => {
  const fleet = setup();
  fleet.feed({ type: "providerLost", providerId: "p1", how: "broken" });
  fleet.pass(3_000);
  fleet.feed({ type: "failed", taskId: "t1", attempt: 2, providerId: "p2", fault: "node", code: "out_of_memory" });
  fleet.join("p3");
  const held = [{ taskId: "t1", attempt: 1 }];
  fleet.feed({ type: "providerJoined", provider: aProvider("p1"), held });
  expect(sendsOf(fleet.pass(20_000))).toEqual([]);
  expect(settledOf(fleet.complete("t1", 1, "p1"))).toEqual({ t1: { state: "succeeded", attempt: 1 } });
});
