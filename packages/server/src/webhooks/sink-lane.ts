import type { OutboxEntry } from "./delivery-store.ts";

/** What is known of a host by one user's webhooks: nothing yet, that it answers, or that it was away or overloaded since its last 2xx. */
export type SinkHealth = "new" | "good" | "bad";

/** Requests at once. A host that may be slow or away holds one place only. */
const RUNNING_MAX: Readonly<Record<SinkHealth, number>> = { new: 1, good: 8, bad: 1 };
/** Webhooks in memory; the rest waits in the store. */
const QUEUED_MAX: Readonly<Record<SinkHealth, number>> = { new: 50, good: 500, bad: 4 };

/** The webhooks of one user to one host. */
export class SinkLane {
  readonly key: string;
  readonly host: string;
  readonly queue: OutboxEntry[] = [];
  running = 0;
  health: SinkHealth = "new";
  /** Webhooks that found no room here since it last took one. */
  overflowed = 0;
  /** It asked for patience until then. Wall clock. */
  restsUntilMs = 0;

  constructor(key: string, host: string) {
    this.key = key;
    this.host = host;
  }

  get hasRoom(): boolean {
    return this.queue.length < QUEUED_MAX[this.health];
  }

  get mayStart(): boolean {
    return this.queue.length > 0 && this.running < RUNNING_MAX[this.health];
  }

  get isIdle(): boolean {
    return this.queue.length === 0 && this.running === 0;
  }
}
