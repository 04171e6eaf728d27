import { createHash } from "node:crypto";
import type { Logger } from "pino";
import { Webhook } from "standardwebhooks";
import type { Egress } from "../egress/guarded-fetch.ts";
import { StoreUnavailable } from "../tasks/task-store.ts";
import { Counts } from "./counts.ts";
import type { DeliveryStore, OutboxEntry, TryOutcome } from "./delivery-store.ts";
import { readRetryAfterMs, retryDelayMs } from "./retry-schedule.ts";
import { type SinkHealth, SinkLane } from "./sink-lane.ts";
import type { WebhookSecrets } from "./webhook-secrets.ts";

/** How often the outbox is looked at, in milliseconds. */
const POLL_MS = 500;
/** Webhooks that one look takes. */
const TAKEN_MAX = 500;
/** How long taken webhooks are this server's, in milliseconds. What dies with it is due again after so long. */
const LEASE_MS = 120_000;
/** A taken one that waited longer than this for its turn is left to its lease: a request must end before it. */
const TURN_MS = 60_000;
/** How long a sink may take to answer, in milliseconds. */
export const WEBHOOK_TIMEOUT_MS = 15_000;
/** Requests at once, of lanes whose host answers and of all others. The two do not take each other's places. */
const RUNNING_MAX = { good: 256, other: 512 };
/** Of each of the two: to one host, however many users have a lane there. One that many use and that goes away takes no more than this. */
const RUNNING_TO_HOST_MAX = 64;
/** Of those of others: of one user. */
const OTHERS_OF_USER_MAX = 128;
/** Once so many webhooks wait in memory, only lanes whose host answers get more in. */
const OTHERS_QUEUED_MAX = 5_000;
/** Lanes that are remembered as answered or not. */
const LANES_MAX = 10_000;
/** How long webhooks without room are put off, in milliseconds: to a host that may answer, for each 500 before them, and to one that did not. */
const PUT_OFF_MS: Readonly<Record<SinkHealth, number>> = { new: 2_000, good: 2_000, bad: 30_000 };

export interface WebhookDelivererOptions {
  readonly store: Pick<
    DeliveryStore,
    "outboxDue" | "outboxTried" | "outboxDeferred" | "sinkIsStopped" | "setSinkStopped"
  >;
  readonly egress: Egress;
  readonly secrets: WebhookSecrets;
  readonly logger: Logger;
  /** Default {@link WEBHOOK_TIMEOUT_MS}. */
  readonly timeoutMs?: number;
  readonly wallMs?: () => number;
  /** Told of every try. */
  readonly onTry?: (outcome: TryOutcome) => void;
}

/** Names a sink with its user. */
export function sinkKey(userId: string, url: string): string {
  return createHash("sha256").update(`${userId}\n${url}`).digest("hex");
}

/** Brings webhooks out of the store's outbox to their sinks, at least once each, signed as Standard Webhooks says. Each user's webhooks to
 *  each host wait in a lane of their own, so that a host that is away delays no other, and a user with wrong paths nobody else. */
export class WebhookDeliverer {
  readonly #options: WebhookDelivererOptions;
  readonly #wallMs: () => number;
  readonly #timeoutMs: number;
  readonly #lanes = new Map<string, SinkLane>();
  /** When each that waits in memory was taken. */
  readonly #taken = new Map<string, number>();
  readonly #running = { good: 0, other: 0 };
  readonly #toHost = { good: new Counts(), other: new Counts() };
  readonly #othersOfUser = new Counts();
  #timer: NodeJS.Timeout | null = null;
  #closed = false;
  #whenIdle: (() => void)[] = [];

  constructor(options: WebhookDelivererOptions) {
    this.#options = options;
    this.#wallMs = options.wallMs ?? (() => Date.now());
    this.#timeoutMs = options.timeoutMs ?? WEBHOOK_TIMEOUT_MS;
  }

  /** Looks at the outbox now and then until it is closed. */
  start(): void {
    const look = async (): Promise<void> => {
      await this.takeDue();
      if (!this.#closed) this.#timer = setTimeout(() => void look(), POLL_MS);
    };
    void look();
  }

  /** Takes everything that is due now. */
  async takeDue(): Promise<void> {
    try {
      for (;;) {
        const entries = await this.#options.store.outboxDue(TAKEN_MAX, LEASE_MS);
        await this.#putOff(entries.filter((entry) => !this.#enqueue(entry)));
        this.#startAll();
        if (entries.length < TAKEN_MAX || this.#closed) return;
      }
    } catch (error) {
      // The store is away: what was taken is due again when its lease is over.
      if (!(error instanceof StoreUnavailable)) this.#options.logger.error({ err: error }, "the outbox can't be read");
    }
  }

  /** Resolves once no request is under way. */
  async idle(): Promise<void> {
    if (this.#running.good + this.#running.other === 0) return;
    await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  /** Starts nothing more. Requests under way count for nothing: their webhooks are due again when their lease is over. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const lane of this.#lanes.values()) lane.queue.length = 0;
    this.#taken.clear();
  }

  /** False where its lane has no room. */
  #enqueue(entry: OutboxEntry): boolean {
    const lane = this.#laneOf(entry);
    const crowded = lane.health !== "good" && this.#taken.size >= OTHERS_QUEUED_MAX;
    if (crowded || !lane.hasRoom || lane.restsUntilMs > this.#wallMs()) {
      lane.overflowed += 1;
      return false;
    }
    lane.queue.push(entry);
    this.#taken.set(entry.outboxId, performance.now());
    return true;
  }

  #laneOf({ userId, url }: OutboxEntry): SinkLane {
    const host = URL.canParse(url) ? new URL(url).host : url;
    const key = `${host}\n${userId}`;
    const known = this.#lanes.get(key);
    const lane = known ?? new SinkLane(key, host);
    // In the order of their last use, so that what is forgotten is what was not used for longest.
    this.#lanes.delete(key);
    this.#lanes.set(key, lane);
    if (this.#lanes.size > LANES_MAX) {
      for (const old of this.#lanes.values()) {
        if (!old.isIdle) continue;
        this.#lanes.delete(old.key);
        break;
      }
    }
    return lane;
  }

  async #putOff(entries: readonly OutboxEntry[]): Promise<void> {
    const byDelay = new Map<number, string[]>();
    for (const entry of entries) {
      const lane = this.#laneOf(entry);
      const restMs = lane.restsUntilMs - this.#wallMs();
      const delayMs = PUT_OFF_MS[lane.health] * Math.ceil(lane.overflowed / TAKEN_MAX);
      const forMs = Math.max(delayMs, restMs);
      byDelay.set(forMs, [...(byDelay.get(forMs) ?? []), entry.outboxId]);
    }
    for (const [forMs, ids] of byDelay) await this.#options.store.outboxDeferred(ids, forMs);
  }

  #startAll(): void {
    for (const lane of this.#lanes.values()) this.#startLane(lane);
  }

  #startLane(lane: SinkLane): void {
    while (!this.#closed && lane.mayStart) {
      const pool = lane.health === "good" ? "good" : "other";
      const [entry] = lane.queue;
      if (entry === undefined || this.#running[pool] >= RUNNING_MAX[pool]) return;
      if (this.#toHost[pool].of(lane.host) >= RUNNING_TO_HOST_MAX) return;
      if (pool === "other" && this.#othersOfUser.of(entry.userId) >= OTHERS_OF_USER_MAX) return;
      lane.queue.shift();
      const takenAtMs = this.#taken.get(entry.outboxId) ?? 0;
      this.#taken.delete(entry.outboxId);
      if (performance.now() - takenAtMs > TURN_MS) continue;
      lane.running += 1;
      this.#running[pool] += 1;
      this.#toHost[pool].add(lane.host);
      if (pool === "other") this.#othersOfUser.add(entry.userId);
      void this.#deliver(entry, lane).finally(() => {
        lane.running -= 1;
        lane.overflowed = 0;
        this.#running[pool] -= 1;
        this.#toHost[pool].remove(lane.host);
        if (pool === "other") this.#othersOfUser.remove(entry.userId);
        this.#startAll();
        if (this.#running.good + this.#running.other === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
      });
    }
  }

  async #deliver(entry: OutboxEntry, lane: SinkLane): Promise<void> {
    const { store, logger, onTry } = this.#options;
    try {
      const outcome = await this.#try(entry, lane);
      if (this.#closed) return;
      await store.outboxTried(entry.outboxId, outcome);
      onTry?.(outcome);
      const { state, httpStatus, durationMs } = outcome;
      logger.debug(
        { taskId: entry.taskId, state, httpStatus, durationMs, tries: entry.tries + 1 },
        "a webhook was tried",
      );
    } catch (error) {
      // Tried again when its lease is over, under the same id.
      if (!(error instanceof StoreUnavailable)) logger.error({ err: error }, "a webhook could not be tried");
    }
  }

  async #try(entry: OutboxEntry, lane: SinkLane): Promise<TryOutcome> {
    const { store, egress, secrets } = this.#options;
    const key = sinkKey(entry.userId, entry.url);
    const atMs = this.#wallMs();
    const startedMs = performance.now();
    const durationMs = (): number => Math.round(performance.now() - startedMs);
    const dead = (httpStatus: number | null, note: string): TryOutcome => {
      return { state: "dead", retryInMs: 0, atMs, durationMs: durationMs(), httpStatus, note };
    };
    const objection = egress.objection(entry.url);
    if (objection !== null) return dead(null, objection);
    if (await store.sinkIsStopped(key)) return dead(null, "The sink said 410 before. A replay of it asks it again.");

    const signatures = (await secrets.live(entry.userId, atMs)).map((secret) =>
      new Webhook(secret).sign(entry.outboxId, new Date(atMs), entry.body),
    );
    const failed = (httpStatus: number | null, note: string, retryAfterMs: number | null): TryOutcome => {
      if (httpStatus === null || speaksOfHost(httpStatus)) lane.health = "bad";
      const retryInMs = retryDelayMs(entry.tries + 1, retryAfterMs, Math.random());
      if (retryInMs === null) return dead(httpStatus, note);
      return { state: "waiting", retryInMs, atMs, durationMs: durationMs(), httpStatus, note };
    };
    try {
      const { status, headers } = await egress.fetch(entry.url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "webhook-id": entry.outboxId,
          "webhook-timestamp": String(Math.floor(atMs / 1_000)),
          "webhook-signature": signatures.join(" "),
        },
        body: entry.body,
        timeoutMs: this.#timeoutMs,
        bytesMax: 65_536,
        discardBody: true,
      });
      if (status >= 200 && status < 300) {
        lane.health = "good";
        return { state: "delivered", retryInMs: 0, atMs, durationMs: durationMs(), httpStatus: status, note: "" };
      }
      if (status === 410) {
        await store.setSinkStopped(key, true);
        return dead(status, "The sink wants no more of these.");
      }
      const retryAfterMs = readRetryAfterMs(headers["retry-after"], this.#wallMs());
      if (retryAfterMs !== null && (status === 429 || status === 503)) {
        lane.restsUntilMs = this.#wallMs() + Math.min(retryAfterMs, PUT_OFF_MS.bad);
      }
      return failed(status, status < 400 ? "Redirects are not followed." : "The sink did not take it.", retryAfterMs);
    } catch (error) {
      return failed(null, sentenceOf(error, this.#timeoutMs), null);
    }
  }
}

/** Whether an answer says that its host can't do more for now. Any other refusal is of the one path, and comes at once. */
function speaksOfHost(status: number): boolean {
  return status >= 500 || status === 429;
}

/** Why there was no answer, without what a library says of our own network. */
function sentenceOf(error: unknown, timeoutMs: number): string {
  const { name, code } = error as NodeJS.ErrnoException;
  // Which address a name has in our own network is nobody's business.
  if (name === "EgressRefused") return "The sink is not on the public internet.";
  if (name === "TimeoutError" || code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_CONNECT_TIMEOUT") {
    return `No answer within ${timeoutMs / 1_000} s.`;
  }
  return `No answer: ${code ?? name}.`;
}
