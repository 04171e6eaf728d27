import type { AbortReason } from "@genai/dispatcher";
import type { HeartbeatFrame } from "@genai/protocol";

type Stop = { readonly attemptId: string; readonly reason: AbortReason };

/** The attempts that this session has given to its node. Heartbeats are compared with them, so that an abort that got lost is repeated. */
export class GivenAttempts {
  /** By attempt the reason to stop it, or null while it is wanted. */
  readonly #stops = new Map<string, AbortReason | null>();

  get size(): number {
    return this.#stops.size;
  }

  give(attemptId: string): void {
    this.#stops.set(attemptId, null);
  }

  stop(attemptId: string, reason: AbortReason): void {
    this.#stops.set(attemptId, reason);
  }

  forget(attemptId: string): void {
    this.#stops.delete(attemptId);
  }

  isWanted(attemptId: string): boolean {
    return this.#stops.get(attemptId) === null;
  }

  /** What the node has to stop of all that it runs. What it has stopped is forgotten. */
  stopsFor(running: HeartbeatFrame["running"]): readonly Stop[] {
    const runningIds = new Set<string>(running.map(({ attemptId }) => attemptId));
    for (const [attemptId, reason] of this.#stops) {
      if (reason !== null && !runningIds.has(attemptId)) this.#stops.delete(attemptId);
    }
    return [...runningIds].flatMap((attemptId) => {
      const reason = this.#stops.get(attemptId);
      if (reason === null) return [];
      // Never given to it, or settled long ago.
      return [{ attemptId, reason: reason ?? "lost" }];
    });
  }
}
