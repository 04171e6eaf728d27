import type { Clock } from "../../../src/clock.ts";

/** A clock that stands until the test lets time pass; whoever looks at it regularly sees each moment. */
export class ClockInHand implements Clock {
  #nowMs = 1_000_000;
  #looks: (() => void)[] = [];

  monotonicMs(): number {
    for (const looked of this.#looks.splice(0)) looked();
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  /** Resolves when somebody has looked at the clock twice since: what was due is done. */
  async pass(ms: number): Promise<void> {
    this.#nowMs += ms;
    for (let looks = 0; looks < 2; looks++) await new Promise<void>((resolve) => this.#looks.push(resolve));
    // The one who looked goes on with its own work first.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
