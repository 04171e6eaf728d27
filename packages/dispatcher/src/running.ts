/** How many values the mean remembers: enough to be calm, few enough to follow a new driver within a day. */
const MEMORY = 50;

/** By which share of itself a mean has to move before it is published anew. */
const CLEARLY = 0.05;

/** Mean and spread of values as they come, after Welford, forgetting old ones by and by. */
export class Running {
  count = 0;
  mean = 0;
  /** The mean as it is reckoned with: it follows the true one only when that has clearly moved, so that not every measurement
   *  turns over what was decided by it. */
  published = 0;
  #variance = 0;

  get spread(): number {
    return Math.sqrt(this.#variance);
  }

  /** True where the published mean moved. */
  add(value: number): boolean {
    this.count += 1;
    const share = 1 / Math.min(this.count, MEMORY);
    const difference = value - this.mean;
    this.mean += difference * share;
    this.#variance = (1 - share) * (this.#variance + share * difference * difference);
    // The first value counts even where it is 0: what was assumed before was something else.
    if (this.count > 1 && Math.abs(this.mean - this.published) <= this.published * CLEARLY) return false;
    this.published = this.mean;
    return true;
  }

  snapshot(): { count: number; mean: number; spread: number } {
    return { count: this.count, mean: this.mean, spread: this.spread };
  }

  /** Null where the snapshot makes no sense. */
  static from(snapshot: { count: number; mean: number; spread: number }): Running | null {
    const { count, mean, spread } = snapshot;
    if (!(count >= 1 && mean >= 0 && spread >= 0 && Number.isFinite(count + mean + spread))) return null;
    const running = new Running();
    running.count = count;
    running.mean = mean;
    running.published = mean;
    running.#variance = spread * spread;
    return running;
  }
}
