import { randomUUID } from "node:crypto";
import { type AttemptId, type Capabilities, NodeFrame, type ResultFrame, type ServerFrame } from "@genai/protocol";
import { expect } from "@jest/globals";
import type { NodeEffect } from "../../../src/session/node-effect.ts";
import type { FinalFrame, NodeInput } from "../../../src/session/node-input.ts";
import { NodeSession, type NodeSessionOptions } from "../../../src/session/node-session.ts";

type EffectOf<Type extends NodeEffect["type"]> = Extract<NodeEffect, { type: Type }>;

export const CAPABILITIES: Capabilities = {
  engine: "test",
  engineVersion: null,
  ready: true,
  pipelines: ["standard", "comfy"],
  models: [],
  warmModel: null,
  gpuType: null,
  gpuCount: 0,
  vramBytes: null,
  ramBytes: null,
  cpuCount: null,
  imageInput: true,
  nodeClassesHash: null,
  minCost: 0,
};

/** A session with a clock that the test holds. Every frame that it sends is held against its schema. */
export class Driver {
  readonly session: NodeSession;
  nowMs = 0;

  constructor(options: Partial<NodeSessionOptions> = {}) {
    this.session = new NodeSession({
      nodeId: "n",
      bootId: "boot",
      slots: 2,
      capabilities: CAPABILITIES,
      kept: [],
      ...options,
    });
  }

  feed(input: NodeInput): readonly NodeEffect[] {
    const effects = this.session.step(this.nowMs, input);
    for (const effect of effects) if (effect.type === "send") NodeFrame.parse(effect.frame);
    return effects;
  }

  /** Lets so much time pass, with a tick at each deadline; everything that was asked for meanwhile. */
  pass(ms: number): readonly NodeEffect[] {
    const untilMs = this.nowMs + ms;
    const effects: NodeEffect[] = [];
    for (let ticks = 0; ; ticks++) {
      expect(ticks).toBeLessThan(10_000);
      const deadlineMs = this.session.nextDeadlineMs();
      if (deadlineMs === null || deadlineMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, deadlineMs);
      effects.push(...this.feed({ type: "tick" }));
    }
    this.nowMs = untilMs;
    return effects;
  }

  /** Time passes and the server is heard of all the while. */
  passHearing(ms: number): readonly NodeEffect[] {
    const effects: NodeEffect[] = [];
    for (let leftMs = ms; leftMs > 0; leftMs -= 5_000) {
      effects.push(...this.pass(Math.min(5_000, leftMs)), ...this.feed({ type: "heard" }));
    }
    return effects;
  }

  /** The server says something. */
  hear(frame: ServerFrame): readonly NodeEffect[] {
    return this.feed({ type: "frame", frame });
  }

  /** From the start to an open socket; what is asked for when it opens. */
  open(): readonly NodeEffect[] {
    if (this.session.phase === "idle") this.feed({ type: "started" });
    else if (this.session.phase === "waiting") this.pass((this.session.nextDeadlineMs() ?? 0) - this.nowMs);
    return this.feed({ type: "opened" });
  }

  /** From the start to a session of protocol 2; what is asked for when it is registered. */
  register(stop: readonly AttemptId[] = []): readonly NodeEffect[] {
    this.open();
    return this.hear(registered(stop));
  }

  give(attemptId: AttemptId = newAttemptId()): AttemptId {
    this.hear(taskFrame(attemptId));
    return attemptId;
  }

  /** It runs and finishes; what is asked for then. */
  finish(attemptId: AttemptId, final: FinalFrame = result(attemptId)): readonly NodeEffect[] {
    return this.feed({ type: "finished", attemptId, final });
  }
}

export function newAttemptId(): AttemptId {
  return randomUUID() as AttemptId;
}

export function registered(stop: readonly AttemptId[] = []): Extract<ServerFrame, { type: "registered" }> {
  return {
    type: "registered",
    protocol: 2,
    leaseMs: 30_000,
    heartbeatMs: 10_000,
    frameBytesMax: 1_048_576,
    keep: [],
    stop: [...stop],
  };
}

export function taskFrame(attemptId: AttemptId): Extract<ServerFrame, { type: "task" }> {
  const uploadUrl = `http://server/v2/attempts/${attemptId}/artifacts/{n}`;
  return {
    type: "task",
    attemptId,
    pipeline: { type: "standard", prompt: "a", model: "" },
    limitMs: 60_000,
    uploadUrl,
  };
}

export function result(attemptId: AttemptId): ResultFrame {
  const artifact = { sha256: "a".repeat(64), bytes: 7, mime: "image/png" };
  return { type: "result", attemptId, artifacts: [artifact], metrics: {} };
}

/** The frames among effects. */
export function sent(effects: readonly NodeEffect[]): readonly NodeFrame[] {
  return of(effects, "send").map(({ frame }) => frame);
}

export function of<Type extends NodeEffect["type"]>(effects: readonly NodeEffect[], type: Type): EffectOf<Type>[] {
  return effects.filter((effect): effect is EffectOf<Type> => effect.type === type);
}
