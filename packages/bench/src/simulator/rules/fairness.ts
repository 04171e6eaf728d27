import type { Dispatcher, DispatcherEffect } from "@genai/dispatcher";
import type { Ledger } from "../ledger.ts";

/** What holds of a run in which nothing fails: a fixed fleet of equal slots that every task may have, and users of equal weight. */
export interface CalmFacts {
  readonly slots: number;
  /** Longest that an attempt takes, the way there included, in milliseconds. */
  readonly attemptMsMax: number;
  readonly creditMs: number;
}

interface Served {
  chargedMs: number;
  measuredMs: number;
  correctionsMs: number;
}

/** Watches users of equal weight and equal eligible sets: what they were charged, what was measured, and how long each task waited. */
export class FairnessWatch {
  readonly #facts: CalmFacts;
  readonly #estimating: Dispatcher | null;
  /** What two users got since both wait. */
  readonly #pairs = new Map<string, { readonly a: Served; readonly b: Served }>();
  /** Pairs of which one had nothing waiting once: from then on nothing is promised of the two together. */
  readonly #parted = new Set<string>();
  readonly #users = new Map<string, { waiting: number; greatestMs: number }>();
  readonly #places = new Map<string, { readonly userId: string; readonly sinceMs: number; readonly place: number }>();
  readonly #charged = new Map<string, number>();

  /** @param estimating tells what the waiting tasks will take, where warm models may go before them by as much; null where they may not. */
  constructor(facts: CalmFacts, estimating: Dispatcher | null) {
    this.#facts = facts;
    this.#estimating = estimating;
  }

  /** A task was taken in. */
  submitted(taskId: string, userId: string, nowMs: number): void {
    const user = this.#users.get(userId) ?? { waiting: 0, greatestMs: 0 };
    this.#users.set(userId, user);
    user.waiting += 1;
    this.#places.set(taskId, { userId, sinceMs: nowMs, place: user.waiting });
  }

  /** Takes note of an effect before the ledger does; returns what is wrong with it, or null. */
  note(ledger: Ledger, effect: DispatcherEffect): string | null {
    if (effect.type === "send") return this.#send(ledger, effect);
    if (effect.type !== "attemptChanged" || effect.open) return null;
    const userId = ledger.tasks.get(effect.taskId)?.task.userId;
    const chargedMs = this.#charged.get(effect.taskId);
    if (userId === undefined || chargedMs === undefined) return null;
    this.#charged.delete(effect.taskId);
    this.#serve(userId, { chargedMs: effect.gpuMs - chargedMs, measuredMs: effect.gpuMs, isCorrection: true });
    return this.#compare(userId);
  }

  #send(ledger: Ledger, effect: Extract<DispatcherEffect, { type: "send" }>): string | null {
    const waited = this.#places.get(effect.taskId);
    if (waited === undefined) return null;
    const { userId, sinceMs, place } = waited;
    this.#places.delete(effect.taskId);
    this.#charged.set(effect.taskId, effect.expectedMs);
    this.#serve(userId, { chargedMs: effect.expectedMs, measuredMs: 0, isCorrection: false });
    const user = this.#users.get(userId);
    if (user !== undefined) user.waiting -= 1;
    this.#estimateWaiting();
    const { slots, attemptMsMax, creditMs } = this.#facts;
    const users = this.#users.size;
    const boundMs = ((place * users + users) * attemptMsMax + creditMs) / slots;
    if (ledger.nowMs - sinceMs > boundMs) {
      return `task ${effect.taskId} waited ${ledger.nowMs - sinceMs} ms as number ${place} of its user beside ${users} users; at most ${boundMs}`;
    }
    return this.#compare(userId);
  }

  /** A waiting task is a task of its user's too. */
  #estimateWaiting(): void {
    for (const [taskId, { userId }] of this.#estimating === null ? [] : this.#places) {
      const parts = this.#estimating?.explain(taskId)?.providers.flatMap((provider) => provider.parts ?? []) ?? [];
      const user = this.#users.get(userId);
      const takesMs = Math.max(0, ...parts.map(({ loadSeconds, runSeconds }) => (loadSeconds + runSeconds) * 1_000));
      if (user !== undefined) user.greatestMs = Math.max(user.greatestMs, takesMs);
    }
  }

  #serve(userId: string, served: { chargedMs: number; measuredMs: number; isCorrection: boolean }): void {
    const user = this.#users.get(userId);
    if (user !== undefined) user.greatestMs = Math.max(user.greatestMs, served.chargedMs, served.measuredMs);
    for (const other of this.#users.keys()) {
      if (other === userId) continue;
      const pair = this.#pairs.get(pairOf(userId, other)) ?? { a: nothing(), b: nothing() };
      this.#pairs.set(pairOf(userId, other), pair);
      const mine = userId < other ? pair.a : pair.b;
      mine.chargedMs += served.chargedMs;
      mine.measuredMs += served.measuredMs;
      if (served.isCorrection) mine.correctionsMs += Math.abs(served.chargedMs);
    }
  }

  /** What is wrong between a user and the others that wait as it does, or null. */
  #compare(userId: string): string | null {
    const user = this.#users.get(userId);
    for (const [otherId, other] of this.#users) {
      if (otherId === userId || user === undefined) continue;
      if (user.waiting === 0 || other.waiting === 0) {
        this.#parted.add(pairOf(userId, otherId));
        continue;
      }
      const pair = this.#pairs.get(pairOf(userId, otherId));
      if (pair === undefined || this.#parted.has(pairOf(userId, otherId))) continue;
      const { a, b } = pair;
      const greatestMs = user.greatestMs + other.greatestMs;
      const charged = Math.abs(a.chargedMs - b.chargedMs);
      if (charged > greatestMs + a.correctionsMs + b.correctionsMs) {
        return `users ${userId} and ${otherId} were charged ${a.chargedMs} and ${b.chargedMs} ms while both waited`;
      }
      const measured = Math.abs(a.measuredMs - b.measuredMs);
      if (measured > 0.05 * Math.max(a.measuredMs, b.measuredMs) + (this.#facts.slots + 1) * greatestMs) {
        return `users ${userId} and ${otherId} were served ${a.measuredMs} and ${b.measuredMs} ms while both waited`;
      }
    }
    return null;
  }
}

function nothing(): Served {
  return { chargedMs: 0, measuredMs: 0, correctionsMs: 0 };
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
