/** A webhook that is to be delivered. */
export interface OutboxEntry {
  readonly outboxId: string;
  readonly taskId: string;
  readonly userId: string;
  readonly url: string;
  /** Body as it will be sent. */
  readonly body: string;
  readonly createdAtMs: number;
  readonly tries: number;
}

/** A webhook and how far it has come. Its id is its task's: a task ends once. */
export interface Delivery {
  readonly deliveryId: string;
  readonly userId: string;
  readonly url: string;
  /** `waiting`: it is tried, now or later. `dead`: given up, until somebody replays it. */
  readonly state: DeliveryState;
  readonly createdAtMs: number;
  /** Tries since it was entered or last replayed. */
  readonly tries: number;
  readonly nextTryAtMs: number | null;
  /** What the last try came to. */
  readonly note: string;
}

const DELIVERY_STATES = ["waiting", "delivered", "dead"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** One request that was made for a webhook. */
export interface DeliveryTry {
  readonly number: number;
  readonly atMs: number;
  readonly durationMs: number;
  /** Null where there was no answer. */
  readonly httpStatus: number | null;
  readonly note: string;
}

/** What a try came to. */
export interface TryOutcome extends Omit<DeliveryTry, "number"> {
  readonly state: DeliveryState;
  /** For `waiting`: how long until the next try. The store's clock counts it. */
  readonly retryInMs: number;
}

export interface WebhookBacklog {
  readonly waiting: number;
  readonly dead: number;
  /** When the oldest that waits was entered; null for none. */
  readonly oldestAtMs: number | null;
}

/** Tries that are kept of each webhook, the newest. */
export const TRIES_KEPT_MAX = 30;

/** The outbox of webhooks, and what became of them. A task's is entered in the change that ends it. */
export interface DeliveryStore {
  /** Webhooks that are due, leased to this server for `leaseMs`. */
  outboxDue(limit: number, leaseMs: number): Promise<readonly OutboxEntry[]>;
  /** Logs a try. */
  outboxTried(outboxId: string, outcome: TryOutcome): Promise<void>;

  delivery(deliveryId: string): Promise<Delivery | null>;
  /** Newest first; `before` is the id of the last one of the page before. */
  deliveriesOf(
    userId: string,
    state: DeliveryState | null,
    limit: number,
    before: string | null,
  ): Promise<readonly Delivery[]>;
  /** Oldest first, at most {@link TRIES_KEPT_MAX}. */
  triesOf(deliveryId: string): Promise<readonly DeliveryTry[]>;
  webhookBacklog(): Promise<WebhookBacklog>;

  /** Puts leased ones off without a try. */
  outboxDeferred(deliveryIds: readonly string[], forMs: number): Promise<void>;
  /** Makes webhooks due as if they had just been entered. False where there is none. */
  replayDelivery(deliveryId: string): Promise<boolean>;
  /** The same for all of a user that were entered from `sinceMs` to `untilMs`. Returns how many. */
  replayDeliveries(
    userId: string,
    sinceMs: number,
    untilMs: number,
    state: Exclude<DeliveryState, "waiting"> | null,
  ): Promise<number>;

  /** Whether a sink has said that it wants no more; `key` names it with its user. */
  sinkIsStopped(key: string): Promise<boolean>;
  setSinkStopped(key: string, stopped: boolean): Promise<void>;
}
