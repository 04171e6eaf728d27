import type { Provider } from "@genai/dispatcher";
import type { FleetReadings, NodeReading, TaskReading } from "../../src/http/fleet-readings.ts";

/** A fleet that a test makes up. */
export class FakeFleet implements FleetReadings {
  readonly readings = new Map<string, TaskReading>();
  readonly #nodes = new Map<string, NodeReading>();

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
      ...reading,
    });
  }

  task(taskId: string): TaskReading | null {
    return this.readings.get(taskId) ?? null;
  }

  nodes(): readonly NodeReading[] {
    return [...this.#nodes.values()];
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
