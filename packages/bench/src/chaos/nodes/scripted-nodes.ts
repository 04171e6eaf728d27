import type { Random } from "@genai/protocol/conformance";
import { DurableNode } from "./durable-node.ts";
import { LegacyNode } from "./legacy-node.ts";
import type { Work } from "./work.ts";

/** Many nodes in this process, of both protocols, that come back to the same port after each loss of their server. */
export class ScriptedNodes implements Disposable {
  readonly #nodes: readonly (LegacyNode | DurableNode)[];
  readonly #given = new Map<string, number>();
  #heard: (() => void)[] = [];
  #deliveries = 0;

  constructor(options: {
    readonly port: number;
    /** How many, half of each protocol. */
    readonly count: number;
    /** Work of each task takes a random time between the two, in milliseconds. */
    readonly workMs: readonly [number, number];
    readonly random: Random;
  }) {
    const { port, count } = options;
    this.#nodes = Array.from({ length: count }, (_, index) => {
      const work = this.#workOf(options.workMs, options.random.fork());
      return index < Math.floor(count / 2)
        ? new LegacyNode({ port, nodeId: `legacy-${index}`, work })
        : new DurableNode({ port, nodeId: `durable-${index}`, work });
    });
  }

  /** Task frames that came in all. */
  get deliveries(): number {
    return this.#deliveries;
  }

  /** One sentence for each thing that must never come to a node. */
  get violations(): readonly string[] {
    return [
      ...[...this.#given].flatMap(([attemptId, times]) =>
        times > 1 ? [`Attempt ${attemptId} was given out ${times} times.`] : [],
      ),
      ...this.#nodes.flatMap((node) =>
        node instanceof LegacyNode
          ? node.unknownFrames.map((frame) => `${node.nodeId} was sent what v1 does not know: ${frame}`)
          : [],
      ),
    ];
  }

  get size(): number {
    return this.#nodes.length;
  }

  get onlineCount(): number {
    return this.#nodes.filter((node) => node.online).length;
  }

  /** Resolves with true at the next task frame, or with false after `timeoutMs`. */
  nextTask(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#heard.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  [Symbol.dispose](): void {
    for (const node of this.#nodes) node[Symbol.dispose]();
  }

  #workOf(workMs: readonly [number, number], random: Random): Work {
    return {
      durationMs: () => random.between(...workMs),
      pauseMs: () => random.between(50, 400),
      given: (attemptId) => this.#note(attemptId),
    };
  }

  #note(attemptId: string): void {
    this.#deliveries += 1;
    this.#given.set(attemptId, (this.#given.get(attemptId) ?? 0) + 1);
    for (const heard of this.#heard.splice(0)) heard();
  }
}
