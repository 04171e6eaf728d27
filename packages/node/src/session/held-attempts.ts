import { AttemptId, type HeldAttempt } from "@genai/protocol";
import type { FinalFrame } from "./node-input.ts";

/** An attempt that this node has: it runs, or its last word waits to be acknowledged. */
export interface Held {
  readonly attemptId: string;
  /** Given by a frame of v1: its pictures travel in its result, and nobody acknowledges it. */
  readonly overV1: boolean;
  /** Where its pictures go, with `{n}` for their number; the newest that the server gave. Null over v1. */
  uploadUrl: string | null;
  state: "running" | "finished";
  /** 0 to 1, never falling. */
  progress: number;
  progressSentAtMs: number;
  final: FinalFrame | null;
  /** Its pictures are on the server, or there are none. */
  uploaded: boolean;
  /** When its last word is to be said again on this socket; Infinity while nothing is due. */
  tellAtMs: number;
}

/** Everything that a node has from its server, by attempt id: the same attempt is never run twice. */
export class HeldAttempts {
  readonly #byId = new Map<string, Held>();

  /** A new attempt begins to run. */
  take(attemptId: string, uploadUrl: string | null, overV1: boolean): void {
    this.#byId.set(attemptId, {
      attemptId,
      overV1,
      uploadUrl,
      state: "running",
      progress: 0,
      progressSentAtMs: Number.NEGATIVE_INFINITY,
      final: null,
      uploaded: false,
      tellAtMs: Number.POSITIVE_INFINITY,
    });
  }

  /** An earlier process of this node finished it. What came over v1 has no upload URL. */
  keep(final: FinalFrame, uploadUrl: string | null): void {
    this.take(final.attemptId, uploadUrl, uploadUrl === null);
    this.finish(final.attemptId, final);
  }

  /** Its last word is on the disk. Null where it is not held. */
  finish(attemptId: string, final: FinalFrame): Held | null {
    const held = this.#byId.get(attemptId);
    if (held === undefined) return null;
    held.state = "finished";
    held.final = final;
    held.uploaded = final.type === "error";
    return held;
  }

  get(attemptId: string): Held | undefined {
    return this.#byId.get(attemptId);
  }

  running(attemptId: string): Held | undefined {
    const held = this.#byId.get(attemptId);
    return held?.state === "running" ? held : undefined;
  }

  finished(attemptId: string): Held | undefined {
    const held = this.#byId.get(attemptId);
    return held?.state === "finished" ? held : undefined;
  }

  drop(attemptId: string): void {
    this.#byId.delete(attemptId);
  }

  all(): readonly Held[] {
    return [...this.#byId.values()];
  }

  allRunning(): readonly Held[] {
    return this.all().filter(({ state }) => state === "running");
  }

  allFinished(): readonly Held[] {
    return this.all().filter(({ state }) => state === "finished");
  }

  /** A new socket, or none: nothing was said on it yet. */
  forgetWhatWasTold(): void {
    for (const held of this.#byId.values()) held.tellAtMs = Number.POSITIVE_INFINITY;
  }

  nextTellAtMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { tellAtMs } of this.#byId.values()) nextMs = Math.min(nextMs, tellAtMs);
    return nextMs;
  }

  /** For `register`: what runs first, then the newest that are finished, at most `countMax`. */
  list(countMax: number): HeldAttempt[] {
    return [...this.allRunning(), ...this.allFinished().toReversed()]
      .filter(({ overV1 }) => !overV1)
      .slice(0, countMax)
      .map(({ attemptId, state }) => ({ attemptId: AttemptId.parse(attemptId), state }));
  }
}
