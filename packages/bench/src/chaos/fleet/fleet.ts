import type { Random } from "@genai/protocol/conformance";
import { DurableNode } from "./durable-node.ts";
import { LegacyNode } from "./legacy-node.ts";
import type { Work } from "./work.ts";

/** Many nodes in this process, of both protocols, that come back to the same port after each loss of their server. */
export class Fleet implements Disposable {
  readonly #nodes: readonly (LegacyNode | DurableNode)[];
  readonly #given = new Map<string, number>();
  #heard: (() => void)[] = [];
  #deliveries = 0;

  /** Work of each task takes a random time between the two, in milliseconds. */
  constructor(options: {
    readonly port: number;
    readonly legacy: number;
    readonly durable: number;
    readonly workMs: readonly [number, number];
    readonly random: Random;
  }) {
    const workFor = (random: Random): Work => ({
      durationMs: () => random.between(...options.workMs),
      pauseMs: () => random.between(50, 400),
      given: (attemptId) => this.#note(attemptId),
    });
    const count = (length: number) => Array.from({ length }, (_, index) => index);
    this.#nodes = [
      ...count(options.legacy).map((i) => new LegacyNode(options.port, `legacy-${i}`, workFor(options.random.fork()))),
      ...count(options.durable).map(
        (i) => new DurableNode(options.port, `durable-${i}`, workFor(options.random.fork())),
      ),
    ];
  }

  /** Task frames that came in all. */
  get deliveries(): number {
    return this.#deliveries;
  }

  /** Attempts that were given more than once, which must never be. */
  get repeatedAttempts(): readonly string[] {
    return [...this.#given].filter(([, times]) => times > 1).map(([attemptId]) => attemptId);
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
    for (const node of this.#nodes) node.close();
  }

  #note(attemptId: string): void {
    this.#deliveries += 1;
    this.#given.set(attemptId, (this.#given.get(attemptId) ?? 0) + 1);
    for (const heard of this.#heard.splice(0)) heard();
  }
}
