import type { AttemptId, ServerFrame } from "@genai/protocol";
import { test } from "@jest/globals";
import fc from "fast-check";
import type { NodeEffect } from "../../src/session/node-effect.ts";
import type { NodeInput } from "../../src/session/node-input.ts";
import { Driver, newAttemptId, registered, result, taskFrame } from "./support/driver.ts";

const IDS: readonly AttemptId[] = Array.from({ length: 6 }, newAttemptId);
const V1_TASK = { options: { prompt: "a", model: "", size: null, steps: null }, comfyOptions: null };

const attemptId = fc.constantFrom(...IDS);
const serverFrame: fc.Arbitrary<ServerFrame> = fc.oneof(
  fc.subarray([...IDS]).map((stop): ServerFrame => registered(stop)),
  attemptId.map((id): ServerFrame => taskFrame(id)),
  attemptId.map((id): ServerFrame => ({ type: "abort", attemptId: id, reason: "canceled" })),
  attemptId.map((id): ServerFrame => ({ type: "ack", attemptId: id, verdict: "accepted" })),
  fc.nat().map((seq): ServerFrame => ({ type: "heartbeatAck", seq, stop: [] })),
  attemptId.map((id): ServerFrame => ({ type: "upload", attemptId: id, uploadUrl: "http://server/{n}", missing: [0] })),
  fc.constant<ServerFrame>({ type: "drain" }),
  fc.nat(5_000).map((afterMs): ServerFrame => ({ type: "reconnect", afterMs })),
);
const input: fc.Arbitrary<NodeInput> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ type: "opened" } as const) },
  { weight: 2, arbitrary: fc.constantFrom(null, 1008, 1012, 1013).map((code) => ({ type: "closed", code }) as const) },
  { weight: 8, arbitrary: serverFrame.map((frame) => ({ type: "frame", frame }) as const) },
  { weight: 1, arbitrary: attemptId.map((taskId) => ({ type: "v1Task", frame: { taskId, ...V1_TASK } }) as const) },
  { weight: 1, arbitrary: attemptId.map((taskId) => ({ type: "v1Abort", frame: { type: "abort", taskId } }) as const) },
  { weight: 1, arbitrary: fc.constant({ type: "heard" } as const) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("progressed" as const),
      attemptId,
      value: fc.double(),
      stage: fc.string(),
    }),
  },
  { weight: 4, arbitrary: attemptId.map((id) => ({ type: "finished", attemptId: id, final: result(id) }) as const) },
  { weight: 2, arbitrary: attemptId.map((id) => ({ type: "uploaded", attemptId: id }) as const) },
  { weight: 1, arbitrary: attemptId.map((id) => ({ type: "uploadFailed", attemptId: id }) as const) },
  { weight: 1, arbitrary: attemptId.map((id) => ({ type: "stopped", attemptId: id }) as const) },
);

/** Inputs that an engine and a disk can't give are turned into ticks: nothing finishes that does not run. */
function possible(step: NodeInput, running: ReadonlySet<string>): NodeInput {
  const needsRunning = step.type === "finished" || step.type === "stopped";
  return needsRunning && !running.has(step.attemptId) ? { type: "tick" } : step;
}

/** Follows what runs and what is on the disk by the effects alone, as a shell would. */
class Shell {
  readonly running = new Set<string>();
  readonly onDisk = new Set<string>();

  heard(step: NodeInput): void {
    if (step.type === "finished" || step.type === "stopped") this.running.delete(step.attemptId);
    if (step.type === "finished") this.onDisk.add(step.attemptId);
  }

  carriedOut(effects: readonly NodeEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "run") {
        const { attemptId: id } = effect.order;
        if (this.running.has(id) || this.onDisk.has(id)) throw new Error(`${id} is run while it is held`);
        this.running.add(id);
      }
      if (effect.type === "forget") {
        if (!this.onDisk.delete(effect.attemptId))
          throw new Error(`${effect.attemptId} is forgotten and not on the disk`);
      }
      if (effect.type === "abort" && !this.running.has(effect.attemptId))
        throw new Error(`${effect.attemptId} is aborted and does not run`);
    }
  }
}

/** Why the node may forget a result: somebody said that it has it, or that nobody wants it. */
function allowsForgetting(step: NodeInput): boolean {
  // What came over v1 has no server any more once the node speaks protocol 2.
  if (step.type === "finished") return true;
  if (step.type === "deliveredV1" || step.type === "v1Abort") return true;
  if (step.type !== "frame") return false;
  return ["ack", "abort", "registered", "heartbeatAck"].includes(step.frame.type);
}

const history = fc.array(fc.tuple(fc.nat(30_000), input), { maxLength: 60 });

test("whatever comes in whatever order, a node runs nothing twice, keeps what nobody has, and never spins", () => {
  fc.assert(
    fc.property(history, (steps) => {
      const node = new Driver();
      const shell = new Shell();
      const carryOut = (step: NodeInput, effects: readonly NodeEffect[]): void => {
        if (effects.some(({ type }) => type === "forget") && !allowsForgetting(step))
          throw new Error(`${step.type} made the node forget a result`);
        shell.heard(step);
        shell.carriedOut(effects);
      };
      carryOut({ type: "started" }, node.feed({ type: "started" }));
      for (const [ms, raw] of steps) {
        carryOut({ type: "tick" }, node.pass(ms));
        const step = possible(raw, shell.running);
        carryOut(step, node.feed(step));
        const deadlineMs = node.session.nextDeadlineMs();
        if (deadlineMs !== null) {
          node.nowMs = Math.max(node.nowMs, deadlineMs);
          carryOut({ type: "tick" }, node.feed({ type: "tick" }));
          const nextMs = node.session.nextDeadlineMs();
          if (nextMs !== null && nextMs <= node.nowMs) throw new Error(`due again at once, in ${node.session.phase}`);
        }
      }
      const held = node.session.attempts.filter(({ state }) => state === "finished").map(({ attemptId: id }) => id);
      for (const id of shell.onDisk) if (!held.includes(id)) throw new Error(`${id} is on the disk and not held`);
    }),
    { numRuns: 1_500, seed: Number(process.env.SEED ?? 1) },
  );
});

test("whatever happened before, a server that takes everything gets every result and the node can leave", () => {
  fc.assert(
    fc.property(history, (steps) => {
      const node = new Driver();
      node.feed({ type: "started" });
      const running = new Set<string>();
      const note = (effects: readonly NodeEffect[]): void => {
        for (const effect of effects) if (effect.type === "run") running.add(effect.order.attemptId);
      };
      for (const [ms, raw] of steps) {
        note(node.pass(ms));
        const step = possible(raw, running);
        if (step.type === "finished" || step.type === "stopped") running.delete(step.attemptId);
        note(node.feed(step));
      }
      // From here on the server answers and acknowledges everything, and the engine ends everything.
      for (let rounds = 0; node.session.attempts.length > 0 || node.session.phase !== "registered"; rounds++) {
        if (rounds > 200) throw new Error(`still ${JSON.stringify(node.session.attempts)} in ${node.session.phase}`);
        if (node.session.phase === "v1") node.feed({ type: "closed", code: null });
        if (node.session.phase === "waiting") node.pass(60_001);
        if (node.session.phase === "connecting") node.feed({ type: "opened" });
        if (node.session.phase === "registering") node.hear(registered());
        const ends = [...running].map(
          (id) => ({ type: "finished", attemptId: id, final: result(id as AttemptId) }) as const,
        );
        running.clear();
        const effects = [...ends.flatMap((end) => node.feed(end)), ...node.passHearing(31_000)];
        for (const effect of effects) {
          if (effect.type === "upload") node.feed({ type: "uploaded", attemptId: effect.attemptId });
          if (effect.type === "send" && effect.frame.type === "result")
            node.hear({ type: "ack", attemptId: effect.frame.attemptId, verdict: "accepted" });
        }
      }
      if (!node.feed({ type: "drain" }).some(({ type }) => type === "exit")) throw new Error("it does not leave");
    }),
    { numRuns: 300, seed: Number(process.env.SEED ?? 1) },
  );
});
