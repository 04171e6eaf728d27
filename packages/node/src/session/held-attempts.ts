import { AttemptId, type HeldAttempt } from "@genai/protocol";
import type { FinalFrame } from "./node-input.ts";

/** An attempt that this node holds: it is running, or its result waits to be acknowledged. */
export interface Held {
  readonly attemptId: string;
  /** Received over v1: its result contains its pictures and is not acknowledged. */
  readonly overV1: boolean;
  /** Where its pictures are uploaded, with `{n}` for their number; the latest URL from the server. Null over v1. */
  uploadUrl: string | null;
  /** That URL came on an earlier connection. Its server may have moved, or closed the attempt. */
  uploadUrlIsOld: boolean;
  /** Since when uploads to that URL fail; null while none has. */
  uploadFailsSinceMs: number | null;
  state: "running" | "finished";
  /** 0 to 1, never falling. */
  progress: number;
  progressSentAtMs: number;
  final: FinalFrame | null;
  /** Its pictures have been uploaded, or there are none. */
  uploaded: boolean;
  /** When to send its result again on this socket; Infinity while nothing is due. */
  tellAtMs: number;
}

/** The attempts that a node holds, by id, so that none is run twice. */
export class HeldAttempts {
  readonly #byId = new Map<string, Held>();

  /** A new attempt begins to run. */
  take(attemptId: string, uploadUrl: string | null, overV1: boolean): void {
    this.#byId.set(attemptId, {
      attemptId,
      overV1,
      uploadUrl,
      uploadUrlIsOld: false,
      uploadFailsSinceMs: null,
      state: "running",
      progress: 0,
      progressSentAtMs: Number.NEGATIVE_INFINITY,
      final: null,
      uploaded: false,
      tellAtMs: Number.POSITIVE_INFINITY,
    });
  }

  /** Adds an attempt that an earlier process of this node finished. One received over v1 has no upload URL. */
  keep(final: FinalFrame, uploadUrl: string | null): void {
    this.take(final.attemptId, uploadUrl, uploadUrl === null);
    const held = this.finish(final.attemptId, final);
    if (held !== null) held.uploadUrlIsOld = true;
  }

  /** Its result is on disk. Null where it is not held. */
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

  /** Starts over for a new socket, on which nothing was sent yet. */
  forgetWhatWasTold(): void {
    for (const held of this.#byId.values()) {
      held.tellAtMs = Number.POSITIVE_INFINITY;
      held.uploadUrlIsOld = true;
    }
  }

  nextTellAtMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { tellAtMs } of this.#byId.values()) nextMs = Math.min(nextMs, tellAtMs);
    return nextMs;
  }

  /** For `register`: the running attempts, then the most recently finished ones, at most `countMax`. */
  list(countMax: number): HeldAttempt[] {
    return [...this.allRunning(), ...this.allFinished().toReversed()]
      .filter(({ overV1 }) => !overV1)
      .slice(0, countMax)
      .map(({ attemptId, state }) => ({ attemptId: AttemptId.parse(attemptId), state }));
  }
}
