import type { Demand, Explanation, Provider, ProviderExplanation, ReasonCode, UserDemand } from "@genai/dispatcher";
import type { NodeTally } from "../coordinator/node-tallies.ts";
import type { NewTask } from "../tasks/stored-task.ts";

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
  /** What a picture of 512 × 512 pixels and 20 steps is expected to take; null where it makes none. */
  readonly pictureMs: number | null;
  readonly tally: NodeTally;
  readonly address: string | null;
  readonly protocol: 1 | 2 | null;
}

/** Everything of a task that placing it needs. */
export type TaskTerms = Omit<NewTask, "pipeline">;

/** How a task stands to every node. */
export interface TaskStanding {
  /** Null for a task that the dispatcher does not hold: only asked about, or waiting outside of its window. */
  readonly state: Explanation["state"] | null;
  readonly impossible: boolean;
  readonly userAtCap: boolean;
  readonly retryInMs: number | null;
  readonly hold: Explanation["hold"];
  /** Best score first, then those that are not eligible. */
  readonly providers: readonly ProviderExplanation[];
}

/** Why no node that is known could ever run a task: how many nodes each reason holds of. None where there is no node. */
export type BlockingReasons = ReadonlyMap<ReasonCode, number>;

/** Read-outs of a moment, cheap, without a promise; and the two words that an administrator may say to a node. */
export interface FleetReadings {
  /** Null for a task that this server does not hold. */
  task(taskId: string): TaskReading | null;
  nodes(): readonly NodeReading[];
  /** Nodes whose connection is open, for health. */
  onlineNodeCount(): number;
  /** Costs as much as there are nodes. Null for a task that could not be submitted (its deadline has passed). */
  explain(task: TaskTerms): TaskStanding | null;
  /** Null where some node could run it, now or later. At most a second old. */
  blocked(task: TaskTerms): BlockingReasons | null;
  demand(): Demand;
  users(): readonly UserDemand[];
  /** False for a node that is not known. */
  drain(nodeId: string): boolean;
  undrain(nodeId: string): boolean;
}
