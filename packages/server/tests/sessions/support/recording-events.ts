import type { Provider } from "@genai/dispatcher";
import type { HeldAttempt, Metrics } from "@genai/protocol";
import { AttemptUploads } from "../../../src/artifacts/attempt-uploads.ts";
import type { Joined, NodeEvents } from "../../../src/coordinator/node-events.ts";
import type { TaskArtifact } from "../../../src/tasks/stored-task.ts";

/** One call, with its arguments by name. */
export type RecordedEvent =
  | { readonly type: "nodeJoined"; readonly provider: Provider; readonly held: readonly HeldAttempt[] }
  | { readonly type: "nodeChanged"; readonly provider: Provider }
  | { readonly type: "nodeLost"; readonly nodeId: string; readonly how: "broken" | "left" }
  | { readonly type: "nodeLeaves" | "drain" | "undrain"; readonly nodeId: string }
  | { readonly type: "accepted"; readonly nodeId: string; readonly attemptId: string }
  | { readonly type: "rejected"; readonly nodeId: string; readonly attemptId: string; readonly reason: string }
  | {
      readonly type: "progressed";
      readonly nodeId: string;
      readonly attemptId: string;
      readonly value: number;
      readonly stage: string;
    }
  | {
      readonly type: "previewed";
      readonly nodeId: string;
      readonly attemptId: string;
      readonly mime: string;
      readonly bytes: Uint8Array;
    }
  | {
      readonly type: "completed";
      readonly nodeId: string;
      readonly attemptId: string;
      readonly artifacts: readonly TaskArtifact[];
      readonly metrics: Metrics;
    }
  | {
      readonly type: "failed";
      readonly nodeId: string;
      readonly attemptId: string;
      readonly error: { readonly code: string; readonly message: string };
      readonly fault: "task" | "node" | "unexplained";
    };

type EventOf<Type extends RecordedEvent["type"]> = Extract<RecordedEvent, { readonly type: Type }>;

/** A coordinator that only writes down what it hears. */
export class RecordingEvents implements NodeEvents {
  readonly all: RecordedEvent[] = [];
  /** Attempts that are open, by the node that has them. */
  readonly open = new Map<string, string>();
  readonly uploads = new Map<string, AttemptUploads>();
  /** What each attempt may bring. */
  uploadLimits = { picturesMax: 1_000, bytesMax: 2 ** 30 };
  heard = 0;
  /** How a node is answered when it joins. */
  join = (_provider: Provider, held: readonly HeldAttempt[]): Promise<Joined> =>
    Promise.resolve({ type: "joined", keep: held.map(({ attemptId }) => attemptId), stop: [] });
  readonly #waiting: { type: string; seen: number; resolve: (event: RecordedEvent) => void }[] = [];

  of<Type extends RecordedEvent["type"]>(type: Type): EventOf<Type>[] {
    return this.all.filter((event): event is EventOf<Type> => event.type === type);
  }

  /** The event number `number` (from 1) of a type, as soon as it is there. */
  async next<Type extends RecordedEvent["type"]>(type: Type, number = 1): Promise<EventOf<Type>> {
    const there = this.of(type)[number - 1];
    if (there !== undefined) return there;
    return new Promise((resolve) => {
      this.#waiting.push({ type, seen: number, resolve: resolve as (event: RecordedEvent) => void });
    });
  }

  nodeJoined(provider: Provider, held: readonly HeldAttempt[]): Promise<Joined> {
    this.#record({ type: "nodeJoined", provider, held });
    return this.join(provider, held);
  }

  nodeChanged(provider: Provider): void {
    this.#record({ type: "nodeChanged", provider });
  }

  nodeLost(nodeId: string, how: "broken" | "left"): void {
    this.#record({ type: "nodeLost", nodeId, how });
  }

  nodeLeaves(nodeId: string): void {
    this.#record({ type: "nodeLeaves", nodeId });
  }

  nodeHeard(): void {
    this.heard++;
  }

  drain(nodeId: string): void {
    this.#record({ type: "drain", nodeId });
  }

  undrain(nodeId: string): void {
    this.#record({ type: "undrain", nodeId });
  }

  attemptAccepted(nodeId: string, attemptId: string): void {
    this.#record({ type: "accepted", nodeId, attemptId });
  }

  attemptRejected(nodeId: string, attemptId: string, reason: string): void {
    this.#record({ type: "rejected", nodeId, attemptId, reason });
  }

  attemptProgressed(nodeId: string, attemptId: string, value: number, stage: string): void {
    this.#record({ type: "progressed", nodeId, attemptId, value, stage });
  }

  attemptPreviewed(nodeId: string, attemptId: string, mime: string, bytes: Uint8Array): void {
    this.#record({ type: "previewed", nodeId, attemptId, mime, bytes });
  }

  attemptCompleted(nodeId: string, attemptId: string, artifacts: readonly TaskArtifact[], metrics: Metrics): void {
    this.#record({ type: "completed", nodeId, attemptId, artifacts, metrics });
  }

  attemptFailed(
    nodeId: string,
    attemptId: string,
    error: { readonly code: string; readonly message: string },
    fault: "task" | "node" | "unexplained",
  ): void {
    this.#record({ type: "failed", nodeId, attemptId, error, fault });
  }

  uploadsOf(nodeId: string | null, attemptId: string): AttemptUploads | null {
    const holder = this.open.get(attemptId);
    if (holder === undefined || (nodeId !== null && holder !== nodeId)) return null;
    let uploads = this.uploads.get(attemptId);
    if (uploads === undefined) {
      uploads = new AttemptUploads(this.uploadLimits.picturesMax, this.uploadLimits.bytesMax);
      this.uploads.set(attemptId, uploads);
    }
    return uploads;
  }

  /** An attempt is over, whoever had it. */
  async end(attemptId: string): Promise<void> {
    this.open.delete(attemptId);
    await this.uploads.get(attemptId)?.close([]);
  }

  #record(event: RecordedEvent): void {
    this.all.push(event);
    const count = this.all.filter(({ type }) => type === event.type).length;
    for (const waiting of [...this.#waiting]) {
      if (waiting.type !== event.type || waiting.seen !== count) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.resolve(event);
    }
  }
}
