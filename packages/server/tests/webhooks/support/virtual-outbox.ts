import type { OutboxEntry, TryOutcome } from "../../../src/webhooks/delivery-store.ts";
import type { WebhookDelivererOptions } from "../../../src/webhooks/webhook-deliverer.ts";

/** An outbox over a clock that a test moves: what the adapters' contract says of theirs, without a disk. */
export class VirtualOutbox {
  nowMs = Date.now();
  readonly outcomes = new Map<string, TryOutcome[]>();
  readonly #entries = new Map<string, { entry: OutboxEntry; dueAtMs: number | null }>();
  readonly #stopped = new Set<string>();

  readonly store: WebhookDelivererOptions["store"] = {
    outboxDue: async (limit, leaseMs) => {
      const due = [...this.#entries.values()].filter(({ dueAtMs }) => dueAtMs !== null && dueAtMs <= this.nowMs);
      return due.slice(0, limit).map((held) => {
        held.dueAtMs = this.nowMs + leaseMs;
        return held.entry;
      });
    },
    outboxTried: async (outboxId, outcome) => {
      const held = this.#entries.get(outboxId);
      if (held === undefined) throw new Error(`no ${outboxId}`);
      held.entry = { ...held.entry, tries: held.entry.tries + 1 };
      held.dueAtMs = outcome.state === "waiting" ? this.nowMs + outcome.retryInMs : null;
      this.outcomes.set(outboxId, [...(this.outcomes.get(outboxId) ?? []), outcome]);
    },
    outboxDeferred: async (ids, forMs) => {
      for (const id of ids) {
        const held = this.#entries.get(id);
        if (held !== undefined) held.dueAtMs = this.nowMs + forMs;
      }
    },
    sinkIsStopped: async (key) => this.#stopped.has(key),
    setSinkStopped: async (key, stopped) => void (stopped ? this.#stopped.add(key) : this.#stopped.delete(key)),
  };

  add(outboxId: string, url: string, userId = "alice"): void {
    const body = JSON.stringify({ type: "task.succeeded", data: { taskId: outboxId } });
    const entry = { outboxId, taskId: outboxId, userId, url, body, createdAtMs: this.nowMs, tries: 0 };
    this.#entries.set(outboxId, { entry, dueAtMs: this.nowMs });
  }

  /** When the next one is due; null for none. */
  get nextAtMs(): number | null {
    const due = [...this.#entries.values()].flatMap(({ dueAtMs }) => dueAtMs ?? []);
    return due.length === 0 ? null : Math.min(...due);
  }

  last(outboxId: string): TryOutcome | undefined {
    return this.outcomes.get(outboxId)?.at(-1);
  }
}
