import type { Dispatcher } from "@genai/dispatcher";
import type { NodeEvents } from "./coordinator/node-events.ts";
import type { NodeTally } from "./coordinator/node-tallies.ts";
import { toDispatcherTask } from "./coordinator/to-dispatcher-task.ts";
import { BlockedTasks } from "./http/blocked-tasks.ts";
import type { FleetReadings, NodeReading, TaskStanding, TaskTerms } from "./http/fleet-readings.ts";
import type { NodeGateway } from "./sessions/node-gateway.ts";

/** The parts of a running server that know the fleet. */
export interface RunningFleetOptions {
  readonly dispatcher: Dispatcher;
  readonly progressOf: (taskId: string) => number | null;
  readonly gateway: Pick<NodeGateway, "sessions" | "onlineNodeCount">;
  readonly events: Pick<NodeEvents, "drain" | "undrain">;
  readonly tallyOf: (nodeId: string) => NodeTally;
  /** A task without a deadline is given up after this long, in milliseconds. */
  readonly taskTtlMs: number;
  readonly wallMs: () => number;
}

/** The fleet as the dispatcher and the sessions see it. */
export function runningFleet(options: RunningFleetOptions): FleetReadings {
  const { dispatcher, gateway, events } = options;

  function nodes(): readonly NodeReading[] {
    const nowMs = options.wallMs();
    return gateway.sessions().map(({ nodeId, provider, connectedForMs, address, protocol }) => {
      const seen = dispatcher.provider(nodeId);
      return {
        provider: { ...provider, warmModel: seen?.warmModel ?? provider.warmModel },
        online: seen?.online ?? true,
        draining: seen?.draining ?? false,
        silent: seen?.silent ?? false,
        restsForMs: seen?.restsForMs ?? null,
        running: seen?.running ?? 0,
        freeSlots: seen?.freeSlots ?? 0,
        connectedAtMs: nowMs - connectedForMs,
        pictureMs: seen?.pictureMs ?? null,
        tally: options.tallyOf(nodeId),
        address,
        protocol,
      };
    });
  }

  /** The node itself is not told: it would turn away what it is given after `undrain`. */
  function tell(nodeId: string, word: "drain" | "undrain"): boolean {
    if (dispatcher.provider(nodeId) === null) return false;
    events[word](nodeId);
    return true;
  }

  function explain(task: TaskTerms): TaskStanding | null {
    const held = dispatcher.explain(task.taskId);
    if (held !== null) return held;
    const asked = dispatcher.whatIf(toDispatcherTask(task, options.wallMs(), options.taskTtlMs));
    if (!asked.ok) return null;
    const { impossible, providers } = asked;
    return { state: null, impossible, userAtCap: false, retryInMs: null, hold: null, providers };
  }

  const blocked = new BlockedTasks(explain, options.wallMs);

  return {
    explain,
    blocked: (task) => blocked.reasonsOf(task),
    demand: () => dispatcher.demand(),
    users: () => dispatcher.users(),
    task: (taskId) => {
      const seen = dispatcher.task(taskId);
      if (seen === null) return null;
      const { position, expectedSeconds } = seen;
      return {
        position,
        expectedMs: expectedSeconds === null ? null : Math.round(expectedSeconds * 1_000),
        progress: options.progressOf(taskId),
      };
    },
    nodes,
    onlineNodeCount: () => gateway.onlineNodeCount(),
    drain: (nodeId) => tell(nodeId, "drain"),
    undrain: (nodeId) => tell(nodeId, "undrain"),
  };
}
