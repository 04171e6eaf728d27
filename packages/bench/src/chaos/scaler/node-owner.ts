import type { Random } from "@genai/protocol/conformance";
import type { CreateNodeRequest } from "@genai/protocol/scaler";
import type { Gate } from "./gate.ts";
import { type ScalerCalls, wasCutOff } from "./scaler-client.ts";

/** One caller of the scaler: it makes nodes and removes them, and asks again where an answer was lost. Every other creation has a key. */
export class NodeOwner {
  readonly #name: string;
  readonly #scaler: ScalerCalls;
  readonly #random: Random;
  readonly #gate: Gate;
  readonly #request: CreateNodeRequest;
  /** Nodes that it has. */
  readonly #nodes: string[] = [];
  created = 0;
  removed = 0;
  /** Calls that died with their scaler. */
  cutOff = 0;
  /** One sentence for each answer that should not have been. */
  readonly violations: string[] = [];

  constructor(name: string, scaler: ScalerCalls, random: Random, gate: Gate, request: CreateNodeRequest) {
    this.#name = name;
    this.#scaler = scaler;
    this.#random = random;
    this.#gate = gate;
    this.#request = request;
  }

  /** Goes on until `over` is aborted. */
  async run(over: AbortSignal): Promise<void> {
    for (let n = 0; !over.aborted; n += 1) {
      await this.#gate.pass();
      if (this.#nodes.length < 3 && this.#random.next() < 0.6) await this.#create(n, over);
      else await this.#remove(over);
    }
  }

  async #create(n: number, over: AbortSignal): Promise<void> {
    const idempotencyKey = n % 2 === 0 ? `${this.#name}-${n}` : "";
    const nodeId = await this.#insistently(over, () => this.#scaler.create({ ...this.#request, idempotencyKey }));
    if (nodeId === null) return;
    this.created += 1;
    this.#nodes.push(nodeId);
  }

  async #remove(over: AbortSignal): Promise<void> {
    const nodeId = this.#nodes.shift();
    if (nodeId === undefined) return;
    const done = await this.#insistently(over, async () => {
      await this.#scaler.remove(nodeId);
      return true;
    });
    if (done) this.removed += 1;
  }

  /** null where it was over before there was an answer, or the answer was a refusal. */
  async #insistently<T>(over: AbortSignal, call: () => Promise<T>): Promise<T | null> {
    while (!over.aborted) {
      await this.#gate.pass();
      this.#gate.enter();
      try {
        return await call();
      } catch (error) {
        if (!wasCutOff(error)) {
          this.violations.push(`${this.#name} was refused: ${error instanceof Error ? error.message : error}`);
          return null;
        }
        this.cutOff += 1;
      } finally {
        this.#gate.leave();
      }
    }
    return null;
  }
}
