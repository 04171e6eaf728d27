import type { Demand } from "@genai/dispatcher";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { DispatcherTrace } from "../coordinator/dispatcher-loop.ts";
import type { SessionSnapshot } from "../sessions/session-snapshot.ts";
import type { ChangeOutcome, StoreChange, TaskStore } from "../tasks/task-store.ts";
import type { DeliveryStore, TryOutcome } from "../webhooks/delivery-store.ts";
import { LatencyHistogram } from "./latency-histogram.ts";

/** What is read when somebody looks. */
export interface MetricsSources {
  readonly store: Pick<TaskStore, "backlog"> & Pick<DeliveryStore, "webhookBacklog">;
  readonly demand: () => Demand;
  readonly runningTaskCount: () => number;
  readonly sessions: () => readonly SessionSnapshot[];
  readonly wallMs: () => number;
}

const PIPELINES = ["standard", "comfy"] as const;

/** The server's figures for Prometheus. A label has only values that this file and the protocol name: none is a user's or a node's own,
 *  so nobody can fill the memory of who collects them. */
export class ServerMetrics {
  readonly #registry = new Registry();
  readonly #settled = this.#counter("genai_tasks_settled_total", "Tasks that ended, since the start.", "state");
  readonly #submitted = this.#counter(
    "genai_tasks_submitted_total",
    "Tasks that were stored, since the start.",
    "pipeline",
  );
  readonly #attempts = this.#counter("genai_attempts_closed_total", "Attempts that ended, since the start.", "outcome");
  readonly #frames = this.#counter("genai_node_frames_total", "Frames of nodes.", "outcome");
  readonly #upgrades = this.#counter(
    "genai_node_upgrades_refused_total",
    "Connections of nodes that were refused.",
    "status",
  );
  readonly #tries = this.#counter(
    "genai_webhook_tries_total",
    "Requests for webhooks, by what came of them.",
    "outcome",
  );
  readonly #decision = new LatencyHistogram(
    "genai_decision_seconds",
    "Time of a step of the dispatcher.",
    this.#registry,
  );
  readonly #commit = new LatencyHistogram(
    "genai_commit_seconds",
    "Time from a group of changes to its place on the disk.",
    this.#registry,
  );
  #steppedAtMs = 0;

  constructor(sources: MetricsSources) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
      new Gauge({ name, help, labelNames, registers });

    const tasks = gauge("genai_tasks", "Tasks that have not ended.", ["state"]);
    const depth = gauge("genai_queue_depth", "Waiting tasks in the dispatcher's window.", ["pipeline"]);
    const age = gauge("genai_queue_age_seconds", "Age of the task that is next.", ["pipeline"]);
    const slots = gauge("genai_slots", "Slots of the connected nodes.", ["state"]);
    const sessions = gauge("genai_sessions", "Connected nodes.", ["protocol"]);
    const webhooks = gauge("genai_webhooks", "Webhooks that are to be delivered, and those that were given up.", [
      "state",
    ]);
    const oldest = gauge("genai_webhook_oldest_seconds", "Age of the oldest webhook that waits.");
    const up = gauge("genai_store_up", "1 where the store could be read for these figures.");
    this.#refresh = async () => {
      const { classes, slots: all, idleSlots } = sources.demand();
      for (const pipeline of PIPELINES) {
        const ours = classes.filter(({ requirements }) => requirements.pipeline === pipeline);
        depth.set(
          { pipeline },
          ours.reduce((sum, { waiting }) => sum + waiting, 0),
        );
        age.set({ pipeline }, Math.max(0, ...ours.map(({ headAgeSeconds }) => headAgeSeconds)));
      }
      slots.set({ state: "idle" }, idleSlots);
      slots.set({ state: "busy" }, all - idleSlots);
      const connected = sources.sessions();
      for (const protocol of [1, 2]) {
        sessions.set({ protocol }, connected.filter((session) => session.protocol === protocol).length);
      }
      tasks.set({ state: "running" }, sources.runningTaskCount());
      try {
        const [backlog, { waiting, dead, oldestAtMs }] = await Promise.all([
          sources.store.backlog(),
          sources.store.webhookBacklog(),
        ]);
        const held = classes.reduce((sum, { waiting: inWindow }) => sum + inWindow, 0);
        tasks.set({ state: "queued" }, held + backlog.reduce((sum, { unclaimed }) => sum + unclaimed, 0));
        webhooks.set({ state: "waiting" }, waiting);
        webhooks.set({ state: "dead" }, dead);
        oldest.set(oldestAtMs === null ? 0 : Math.max(0, sources.wallMs() - oldestAtMs) / 1_000);
        up.set(1);
      } catch {
        // The other figures are worth having in an outage.
        up.set(0);
      }
    };
  }

  readonly #refresh: () => Promise<void>;

  /** Everything in Prometheus' text form. */
  async text(): Promise<string> {
    await this.#refresh();
    return await this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** A group of changes was committed in so many milliseconds. */
  committed(changes: readonly StoreChange[], outcomes: readonly ChangeOutcome[], ms: number): void {
    this.#commit.observe(ms / 1_000);
    for (const [index, change] of changes.entries()) {
      if (outcomes[index]?.type !== "applied") continue;
      if (change.type === "taskInserted") this.#submitted(change.task.pipeline.type);
      else if (change.type === "taskSettled") this.#settled(change.state);
      else if (change.type === "attemptChanged" && !change.open) this.#attempts(change.state);
    }
  }

  frame(outcome: "read" | "bad" | "unknown"): void {
    this.#frames(outcome);
  }

  refusedUpgrade(status: number): void {
    this.#upgrades(String(status));
  }

  webhookTried({ state }: TryOutcome): void {
    this.#tries(state === "waiting" ? "failed" : state);
  }

  /** Times each step of the dispatcher, and passes it on to `next`. */
  trace(next: DispatcherTrace | null): DispatcherTrace {
    return {
      started: (options) => next?.started(options),
      heard: (nowMs, input) => {
        next?.heard(nowMs, input);
        this.#steppedAtMs = performance.now();
      },
      answered: (result) => {
        this.#decision.observe((performance.now() - this.#steppedAtMs) / 1_000);
        next?.answered(result);
      },
    };
  }

  /** Counts one by the value of its label. Added up here, and told to the registry when somebody looks: that costs more than a count. */
  #counter(name: string, help: string, label: string): (value: string) => void {
    const counts = new Map<string, number>();
    new Counter({
      name,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect() {
        for (const [value, count] of counts) this.inc({ [label]: value }, count);
        counts.clear();
      },
    });
    return (value) => counts.set(value, (counts.get(value) ?? 0) + 1);
  }
}
