import { expect, test } from "@jest/globals";
import { aProvider, aTask } from "./support/builders.ts";
import { Fleet } from "./support/fleet.ts";

const OWN = { weight: 2, userClass: 0, queuedMax: 10, runningMax: 3 };

/** A fleet of one free provider for each of these tasks; each is submitted by a user of its own, named like it. */
function busyWith(taskIds: readonly string[], options: ConstructorParameters<typeof Fleet>[0] = {}): Fleet {
  const fleet = new Fleet(options);
  for (const taskId of taskIds) {
    fleet.join(`of-${taskId}`);
    fleet.submit(taskId, { userId: taskId });
  }
  return fleet;
}

/** A task of a user runs from its submit to its end. */
function drawFor(fleet: Fleet, taskId: string, userId: string, gpuMs = 10_000): void {
  const sent = fleet.submit(taskId, { userId }).flatMap((effect) => (effect.type === "send" ? [effect] : []))[0];
  if (sent === undefined) throw new Error(`${taskId} waits beside a free provider.`);
  const { attempt, providerId } = sent;
  fleet.feed({ type: "completed", taskId, attempt, providerId, gpuMs, warmModel: null });
}

const usersOf = (fleet: Fleet) => fleet.dispatcher.inspect().users.map(({ userId }) => userId);
const tagOf = (fleet: Fleet, userId: string) =>
  fleet.dispatcher.inspect().users.find((user) => user.userId === userId)?.tag;

test("users who come once, one after the other, are forgotten", () => {
  const fleet = new Fleet({ usersMax: 2 });
  fleet.join("p1");
  for (let i = 0; i < 60; i++) {
    drawFor(fleet, `t${i}`, `user-${i}`);
    expect(usersOf(fleet)).toEqual([]);
  }
});

test("users who come once beside others at work make room for one another, and the one who was charged least is forgotten", () => {
  const fleet = busyWith(["steady"], { usersMax: 3 });
  fleet.join("p1");
  drawFor(fleet, "t1", "greedy", 90_000);
  for (let i = 0; i < 60; i++) drawFor(fleet, `once-${i}`, `user-${i}`, 10_000 + i);
  expect(usersOf(fleet)).toEqual(["steady", "greedy", "user-59"]);
});

test("a newcomer is refused only where every user there may be has tasks", () => {
  const fleet = busyWith(["ann", "bob"], { usersMax: 2 });
  const refused = { code: "limit_reached", field: "task.userId" };
  expect(fleet.dispatcher.step(0, { type: "submit", task: aTask("t", { userId: "cy" }) })).toMatchObject({
    ok: false,
    refusal: refused,
  });
  expect(fleet.refusalOf({ type: "userChanged", userId: "cy", limits: OWN })).toMatchObject({ code: "limit_reached" });
  fleet.complete("bob", 1, "of-bob");
  drawFor(fleet, "t", "cy");
});

test("idle users are remembered for their tags up to a bound, and the least tag goes first", () => {
  const fleet = busyWith(["steady"], { idleUsersMax: 3 });
  fleet.join("p1");
  for (const seconds of [50, 10, 40, 20, 30]) drawFor(fleet, `t${seconds}`, `user-${seconds}`, seconds * 1_000);
  expect(usersOf(fleet)).toEqual(["steady", "user-50", "user-40", "user-30"]);
});

test("an idle user is forgotten once newcomers begin where its tag is", () => {
  const fleet = busyWith(["steady", "other"]);
  fleet.join("p1");
  drawFor(fleet, "once", "ann", 20_000);
  expect(usersOf(fleet)).toContain("ann");
  // The start tags of somebody who comes again and again pass that of the one who does not.
  for (let i = 0; i < 3; i++) drawFor(fleet, `again-${i}`, "steady", 20_000);
  expect(usersOf(fleet)).not.toContain("ann");
});

test("whoever comes back while others are at work still owes what it was charged", () => {
  const fleet = busyWith(["steady"]);
  fleet.join("p1");
  drawFor(fleet, "t1", "ann", 90_000);
  fleet.feed({ type: "providerLost", providerId: "p1", how: "left" });
  fleet.submit("t2", { userId: "ann" });
  fleet.submit("t3", { userId: "bob" });
  expect((tagOf(fleet, "ann") ?? 0) - (tagOf(fleet, "bob") ?? 0)).toBe(90_000);
});

test("where no task is left everybody is even: tags order those who wait", () => {
  const fleet = new Fleet();
  fleet.join("p1");
  drawFor(fleet, "t1", "ann", 90_000);
  fleet.feed({ type: "providerLost", providerId: "p1", how: "left" });
  fleet.submit("t2", { userId: "ann" });
  fleet.submit("t3", { userId: "bob" });
  expect(tagOf(fleet, "ann")).toBe(tagOf(fleet, "bob"));
});

test("limits of idle users are kept up to a bound, and whoever has not come for longest is told anew", () => {
  const fleet = new Fleet({ idleUsersMax: 3 });
  for (let i = 1; i <= 5; i++) fleet.feed({ type: "userChanged", userId: `user-${i}`, limits: OWN });
  expect(usersOf(fleet)).toEqual(["user-3", "user-4", "user-5"]);
  expect(fleet.dispatcher.limitsOf("user-5")).toEqual(OWN);
  expect(fleet.dispatcher.limitsOf("user-1")).toMatchObject({ weight: 1, runningMax: null });
});

test("the usual limits of a user who is not here make no record", () => {
  const fleet = new Fleet();
  const limits = fleet.dispatcher.limitsOf("nobody");
  fleet.feed({ type: "userChanged", userId: "nobody", limits: { ...limits } });
  expect(usersOf(fleet)).toEqual([]);
});

const HOUR_MS = 3_600_000;

/** A provider joins, has some faults in a row, and is gone for good. */
function misbehave(fleet: Fleet, providerId: string, faults = 1): void {
  fleet.join(providerId);
  for (let i = 0; i < faults; i++) {
    const taskId = `${providerId}-${i}`;
    fleet.submit(taskId);
    fleet.feed({ type: "failed", taskId, attempt: 1, providerId, fault: "node", code: "oom" });
    fleet.feed({ type: "cancel", taskId });
  }
  fleet.feed({ type: "providerLost", providerId, how: "left" });
}

test("the conduct of a provider that is gone is remembered for an hour", () => {
  const fleet = new Fleet();
  misbehave(fleet, "p1");
  fleet.pass(HOUR_MS - 1);
  expect(fleet.dispatcher.provider("p1")).toMatchObject({ online: false });
  fleet.pass(1);
  expect(fleet.dispatcher.provider("p1")).toBeNull();
  expect(fleet.dispatcher.nextDeadlineMs()).toBeNull();
});

test("a provider that rests is not forgotten before it has rested", () => {
  const fleet = new Fleet({ restMs: 2 * HOUR_MS, restMaxMs: 2 * HOUR_MS });
  misbehave(fleet, "p1", 3);
  fleet.pass(2 * HOUR_MS - 1);
  expect(fleet.dispatcher.provider("p1")).toMatchObject({ breaker: "resting" });
  fleet.pass(1);
  expect(fleet.dispatcher.provider("p1")).toBeNull();
});

test("a provider that comes back within the hour finds its conduct, and is kept as long as it stays", () => {
  const fleet = new Fleet({ restMs: 2 * HOUR_MS, restMaxMs: 2 * HOUR_MS });
  misbehave(fleet, "p1", 3);
  fleet.pass(HOUR_MS / 2);
  fleet.join("p1");
  fleet.pass(HOUR_MS);
  expect(fleet.dispatcher.provider("p1")).toMatchObject({ online: true, breaker: "resting" });
  fleet.feed({ type: "providerLost", providerId: "p1", how: "left" });
  fleet.pass(HOUR_MS - 1);
  expect(fleet.dispatcher.provider("p1")).toMatchObject({ online: false, breaker: "trial" });
});

test("rented machines that come once and leave after a fault make room for one another, the longest gone first", () => {
  const fleet = new Fleet({ providersMax: 3 });
  fleet.join("steady", { models: ["another"], warmModel: null });
  for (let i = 0; i < 50; i++) misbehave(fleet, `rented-${i}`);
  const ids = fleet.dispatcher.inspect().providers.map(({ providerId }) => providerId);
  expect(ids).toEqual(["steady", "rented-48", "rented-49"]);
});

test("a new provider is refused only where as many as there may be are connected", () => {
  const fleet = new Fleet({ providersMax: 2 });
  fleet.join("p1");
  fleet.join("p2");
  const refusal = fleet.refusalOf({ type: "providerJoined", provider: aProvider("p3"), held: [] });
  expect(refusal).toMatchObject({ code: "limit_reached", field: "provider" });
  fleet.feed({ type: "providerLost", providerId: "p1", how: "left" });
  fleet.join("p3");
});
