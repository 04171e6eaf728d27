import type { AttemptState } from "../effect.ts";
import type { ProviderRecord } from "./provider-record.ts";
import type { TaskRecord } from "./task-record.ts";
import type { Timer } from "./timer.ts";
import { attemptTimer } from "./timer.ts";

/** One lease of a task by a provider, as the core keeps it: until it is closed and its slot is free. */
export class AttemptRecord {
  readonly task: TaskRecord;
  readonly provider: ProviderRecord;
  /** From 1, within the task. */
  readonly attempt: number;
  /** Price at send, in credits. */
  readonly cost: number;
  state: AttemptState = "assigned";
  /** Assigned, sent, accepted, running or lost. A closed one may still sit on its slot. */
  open = true;
  /** When its time began to count: at the assignment, again when it is sent. */
  startedAtMs: number;
  /** What it was expected to take at send: loading and running, in milliseconds, and the spread of that. */
  expectedMs = 0;
  spreadMs = 0;
  /** The model had to be loaded for it. */
  cold = false;
  /** GPU milliseconds that its user's tag carries for it now. */
  chargedMs = 0;
  /** The lost attempt's provider had its time to come back. */
  graceOver = false;
  /** What a late result is told once its task is forgotten. */
  lateVerdict: "stale" | "canceled" = "stale";
  /** Highest progress heard, 0 to 1. */
  progress = 0;
  readonly leaseTimer: Timer = attemptTimer("leaseEnds", this);
  readonly limitTimer: Timer = attemptTimer("limitPasses", this);
  /** Grace while lost; afterwards the wait for an aborted attempt to leave its slot. */
  readonly graceTimer: Timer = attemptTimer("graceEnds", this);
  readonly releaseTimer: Timer = attemptTimer("slotReleases", this);

  constructor(task: TaskRecord, provider: ProviderRecord, attempt: number, cost: number, nowMs: number) {
    this.task = task;
    this.provider = provider;
    this.attempt = attempt;
    this.cost = cost;
    this.startedAtMs = nowMs;
  }

  /** Open and not lost: somebody is at work on it, as far as we know. */
  get live(): boolean {
    return this.open && this.state !== "lost";
  }
}
