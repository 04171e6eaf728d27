import { setTimeout as sleep } from "node:timers/promises";
import type { Direction, Random, TcpProxy } from "@genai/protocol/conformance";
import type { NodeProcess } from "../processes/node-process.ts";
import type { Program } from "../processes/program.ts";
import type { Fleet } from "./fleet.ts";

/** What the nemesis did, by the name of the fault. */
export type FaultCounts = Record<string, number>;

/** A kill -9 of a node, for measuring what became of its work. */
export interface NodeKill {
  readonly nodeId: string;
  readonly atMs: number;
}

/** Does harm at random until it is told to stop, then heals everything: kill -9 of server and nodes, links that are cut, reset, refused,
 *  black-holed, slowed and trickled. */
export class Nemesis {
  readonly counts: FaultCounts = {};
  readonly nodeKills: NodeKill[] = [];
  /** When the server was ready again after each of its deaths. */
  readonly serverUps: { readonly downAtMs: number; readonly upAtMs: number }[] = [];
  readonly #fleet: Fleet;
  readonly #random: Random;
  readonly #pauseMs: number;
  readonly #serverToo: boolean;
  readonly #blackHoleMsMax: number;
  readonly #stopped = new AbortController();
  readonly #done: Promise<void>;

  constructor(
    fleet: Fleet,
    random: Random,
    options: {
      /** How long it rests between two faults, on average. */
      readonly pauseMs: number;
      /** Whether it kills the server too. */
      readonly serverToo: boolean;
      /** The longest black hole, which comes now and then. */
      readonly blackHoleMsMax: number;
    },
  ) {
    this.#fleet = fleet;
    this.#random = random;
    this.#pauseMs = options.pauseMs;
    this.#serverToo = options.serverToo;
    this.#blackHoleMsMax = options.blackHoleMsMax;
    this.#done = this.#rage();
  }

  /** Ends the last fault and heals. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#done;
    for (const link of this.#fleet.links) link.heal();
    this.#fleet.server.start();
    for (const node of this.#fleet.nodes) node.start();
  }

  async #rage(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#rest(this.#random.between(0, 2 * this.#pauseMs));
      if (this.#stopped.signal.aborted) return;
      await this.#harm();
    }
  }

  async #harm(): Promise<void> {
    const lot = this.#random.next();
    const node = this.#random.pick(this.#fleet.nodes as [NodeProcess, ...NodeProcess[]]);
    const link = this.#random.pick(this.#fleet.links as [TcpProxy, ...TcpProxy[]]);
    const direction = this.#random.pick<Direction>(["up", "down", "both"]);
    if (this.#serverToo && lot < 0.12) await this.#killServer();
    else if (node.engine !== null && lot < 0.2) await this.#killEngine(node.engine);
    else if (lot < 0.4) await this.#killNode(node);
    else if (lot < 0.5) this.#count("cut", () => link.cut());
    else if (lot < 0.6) this.#count("reset", () => link.reset());
    else if (lot < 0.66) {
      this.#count("refused", () => link.refuse());
      link.reset();
      await this.#healLater(link, this.#random.between(200, 4_000));
    } else if (lot < 0.8) {
      this.#count("black-holed", () => link.setFault({ type: "blackHole" }, direction));
      const shortMs = this.#random.between(300, Math.min(6_000, this.#blackHoleMsMax));
      await this.#healLater(link, this.#random.next() < 0.15 ? this.#blackHoleMsMax : shortMs);
    } else if (lot < 0.9) {
      const delayMs = this.#random.between(50, 800);
      this.#count("slowed", () => link.setFault({ type: "delay", delayMs }, direction));
      await this.#healLater(link, this.#random.between(500, 5_000));
    } else {
      const bytesPerSecond = Math.round(this.#random.between(50, 800));
      this.#count("trickled", () => link.setFault({ type: "trickle", bytesPerSecond }, direction));
      await this.#healLater(link, this.#random.between(500, 5_000));
    }
  }

  async #killServer(): Promise<void> {
    this.#count("server killed", () => {});
    await this.#fleet.server.kill();
    const downAtMs = Date.now();
    await this.#rest(this.#random.between(0, 1_500));
    this.#fleet.server.start();
    await this.#fleet.server.ready();
    this.serverUps.push({ downAtMs, upAtMs: Date.now() });
  }

  async #killNode(node: NodeProcess): Promise<void> {
    this.#count("node killed", () => {});
    const atMs = Date.now();
    await node.program.kill();
    this.nodeKills.push({ nodeId: node.nodeId, atMs });
    await this.#rest(this.#random.between(0, 6_000));
    node.program.start();
  }

  async #killEngine(engine: Program): Promise<void> {
    this.#count("engine restarted", () => {});
    await engine.kill();
    await this.#rest(this.#random.between(0, 2_000));
    engine.start();
  }

  async #healLater(link: TcpProxy, forMs: number): Promise<void> {
    await this.#rest(forMs);
    link.heal();
  }

  async #rest(forMs: number): Promise<void> {
    // Cut short by the end of the trial.
    await sleep(forMs, undefined, { signal: this.#stopped.signal }).catch(() => {});
  }

  #count(name: string, harm: () => void): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    harm();
  }
}
