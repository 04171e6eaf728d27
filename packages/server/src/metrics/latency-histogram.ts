import type { Histogram, Registry } from "prom-client";

/** From a tenth of a millisecond to seconds. */
const BUCKETS_S = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** A Prometheus histogram of seconds without labels. It counts into an array and makes its figures when somebody looks: prom-client's own
 *  looks up its labels with each observation, and steps of the dispatcher are observed several times a task. */
export class LatencyHistogram {
  readonly name: string;
  readonly #help: string;
  /** By bucket; the last is for what is above all of them. */
  readonly #counts = new Float64Array(BUCKETS_S.length + 1);
  #sumSeconds = 0;

  constructor(name: string, help: string, registry: Registry) {
    this.name = name;
    this.#help = help;
    // A registry asks a metric for its name and its figures, and for nothing else.
    registry.registerMetric(this as unknown as Histogram);
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (seconds > (BUCKETS_S[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sumSeconds += seconds;
  }

  /** The registry's way to ask. */
  async get() {
    let count = 0;
    const buckets = Array.from(this.#counts, (ofBucket, index) => {
      count += ofBucket;
      return { metricName: `${this.name}_bucket`, labels: { le: BUCKETS_S[index] ?? "+Inf" }, value: count };
    });
    const sum = { metricName: `${this.name}_sum`, labels: {}, value: this.#sumSeconds };
    const values = [...buckets, sum, { metricName: `${this.name}_count`, labels: {}, value: count }];
    return { name: this.name, help: this.#help, type: "histogram", aggregator: "sum", values };
  }
}
