import { type Demand, Dispatcher, type Provider, type UserDemand } from "@genai/dispatcher";
import { toDispatcherTask } from "../../src/coordinator/to-dispatcher-task.ts";
import { BlockedTasks } from "../../src/http/blocked-tasks.ts";
import type {
  BlockingReasons,
  FleetReadings,
  NodeReading,
  TaskReading,
  TaskStanding,
  TaskTerms,
} from "../../src/http/fleet-readings.ts";

/** A fleet that a test makes up; a real dispatcher that is given nothing to do answers what would become of tasks. */
export class FakeFleet implements FleetReadings {
  readonly readings = new Map<string, TaskReading>();
  readonly #nodes = new Map<string, NodeReading>();
  readonly #dispatcher = new Dispatcher();

  add(provider: Partial<Provider> & { readonly providerId: string }, reading: Partial<NodeReading> = {}): void {
    this.#nodes.set(provider.providerId, {
      provider: {
        legacy: false,
        engine: "test",
        pipelines: ["standard"],
        models: [],
        warmModel: null,
        gpuType: null,
        vramBytes: null,
        imageInput: false,
        slots: 1,
        prefetch: 0,
        cost: 0,
        ready: true,
        ...provider,
      },
      online: true,
      draining: false,
      silent: false,
      restsForMs: null,
      running: 0,
      freeSlots: 1,
      connectedAtMs: 1_700_000_000_000,
      pictureMs: 5_000,
      tally: { succeeded: 3, failed: 1, rejected: 0, other: 0 },
      address: "192.0.2.1",
      protocol: 2,
      ...reading,
    });
    const joined = this.#nodes.get(provider.providerId) as NodeReading;
    if (joined.online) this.#dispatcher.step(0, { type: "providerJoined", provider: joined.provider, held: [] });
  }

  task(taskId: string): TaskReading | null {
    return this.readings.get(taskId) ?? null;
  }

  nodes(): readonly NodeReading[] {
    return [...this.#nodes.values()];
  }

  onlineNodeCount(): number {
    return this.nodes().filter(({ online }) => online).length;
  }

  explain(task: TaskTerms): TaskStanding | null {
    const asked = this.#dispatcher.whatIf(toDispatcherTask(task, 1_700_000_000_000, 3_600_000));
    if (!asked.ok) return null;
    const { impossible, providers } = asked;
    return { state: null, impossible, userAtCap: false, retryInMs: null, hold: null, providers };
  }

  blocked(task: TaskTerms): BlockingReasons | null {
    return new BlockedTasks(
      (asked) => this.explain(asked),
      () => 0,
    ).reasonsOf(task);
  }

  demand(): Demand {
    return this.#dispatcher.demand();
  }

  users(): readonly UserDemand[] {
    return this.#dispatcher.users();
  }

  drain(nodeId: string): boolean {
    return this.#change(nodeId, { draining: true });
  }

  undrain(nodeId: string): boolean {
    return this.#change(nodeId, { draining: false });
  }

  #change(nodeId: string, change: Partial<NodeReading>): boolean {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) return false;
    this.#nodes.set(nodeId, { ...node, ...change });
    return true;
  }
}
