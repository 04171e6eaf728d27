import type { Provider } from "@genai/dispatcher";

/** What only the running dispatcher knows of a task that has not ended. */
export interface TaskReading {
  /** Of its running attempt, 0 to 1; null where none is known. */
  readonly progress: number | null;
  /** How many of its user's waiting tasks stand before it; null unless it waits. */
  readonly position: number | null;
  /** What one attempt of it is expected to take; null where nobody here could run it. */
  readonly expectedMs: number | null;
}

/** A node as its capabilities say and as the dispatcher sees it. */
export interface NodeReading {
  readonly provider: Provider;
  readonly online: boolean;
  readonly draining: boolean;
  /** Connected, but silent for a whole lease. */
  readonly silent: boolean;
  /** Time until its rest after faults ends; null when it does not rest. */
  readonly restsForMs: number | null;
  /** Attempts that sit on its slots. */
  readonly running: number;
  readonly freeSlots: number;
  /** Wall clock; null where it is not connected. */
  readonly connectedAtMs: number | null;
}

/** Read-outs of a moment, cheap, without a promise; and the two words that an administrator may say to a node. */
export interface FleetReadings {
  /** Null for a task that this server does not hold. */
  task(taskId: string): TaskReading | null;
  nodes(): readonly NodeReading[];
  /** False for a node that is not known. */
  drain(nodeId: string): boolean;
  undrain(nodeId: string): boolean;
}
