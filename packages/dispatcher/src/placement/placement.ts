import type { AttemptRecord } from "../state/attempt-record.ts";
import type { ProviderRecord } from "../state/provider-record.ts";
import type { TaskClass } from "../state/task-class.ts";
import type { TaskRecord } from "../state/task-record.ts";
import type { UserRecord } from "../state/user-record.ts";
import type { Task } from "../task.ts";
import { Agenda } from "./agenda.ts";
import { Backlog } from "./backlog.ts";
import { bestBusy, bestFree, cheapestFree, choosingFor, isBetter, type Option, optionOf } from "./choose.ts";
import { Fleet } from "./fleet.ts";
import { Holds } from "./holds.ts";
import { ageSlowness, learnFrom, SLOWNESS_HALVES_MS } from "./learn.ts";
import { exclusionOf, keepsAway, letsFailedIn } from "./permission.ts";
import type { PlacementContext } from "./placement-context.ts";
import { firstInTurn } from "./turn.ts";

/** How often an offer moves on to another free slot because its candidate prefers that one. There are rarely two such slots at once. */
const REDIRECTS_MAX = 4;

/** A task and the option that it takes. */
export interface Match {
  readonly task: TaskRecord;
  readonly option: Option;
}

/** The decision about one task. */
type Verdict = { readonly type: "send"; readonly option: Option } | { readonly type: "held" | "nowhere" };

/** Decides which waiting task goes to which free slot. It is told about changes and re-evaluates only what they can have affected. */
export class Placement {
  readonly fleet: Fleet;
  readonly backlog = new Backlog();
  readonly #context: PlacementContext;
  readonly #holds: Holds;
  /** Providers whose place in the fleet has to be updated. */
  readonly #changed = new Agenda<"changedPlace", ProviderRecord>("changedPlace");
  /** Providers whose free slots are to be offered. */
  readonly #offers = new Agenda<"offerPlace", ProviderRecord>("offerPlace");
  /** Tasks that have just begun to wait, or whose hold has ended. */
  readonly #woken = new Agenda<"wokenPlace", TaskRecord>("wokenPlace");
  /** Classes for which slots that were already free may have become acceptable. */
  readonly #rechecks = new Agenda<"recheckPlace", TaskClass>("recheckPlace");

  constructor(context: PlacementContext) {
    this.#context = context;
    const { planted } = context;
    this.fleet = new Fleet(context.estimates, {
      ignoresDrain: planted.has("drainIgnored"),
      ignoresRest: planted.has("restIgnored"),
      overfills: planted.has("slotOverfilled"),
    });
    this.#holds = new Holds(context, this.fleet, this.backlog);
  }

  /** The class of a task, including the providers it is excluded from so far. */
  classOf(task: Task): TaskClass {
    return this.backlog.classOf(task.requirements, task.timeToMoneyRatio === 0, null, this.fleet.kinds());
  }

  /** The class of a task that is only asked about. It is not kept. */
  passingClassOf(task: Task): TaskClass {
    return this.backlog.passingClassOf(task.requirements, task.timeToMoneyRatio === 0, this.fleet.kinds());
  }

  /** What it would mean for a task to go to this provider now, whoever else waits. */
  optionAt(task: TaskRecord, provider: ProviderRecord): Option | null {
    if (provider.kind === null) return null;
    return optionOf(task, provider, provider.kind, choosingFor(task, this.#context), provider.holders.length);
  }

  /** How far a run may be off its estimate. */
  spreadMs(task: TaskRecord, provider: ProviderRecord): number {
    if (provider.kind === null) return 0;
    return (
      task.units * this.#context.estimates.unitSpreadMs(task.profile, provider.kind.speed) * provider.kind.slowness
    );
  }

  taskWaits(task: TaskRecord): void {
    this.#reclass(task);
    task.demandMs = this.#expectedAnywhereMs(task);
    this.backlog.add(task);
    this.#woken.add(task);
  }

  taskLeaves(task: TaskRecord): void {
    this.#holds.release(task);
    this.backlog.delete(task);
    this.#woken.delete(task);
  }

  /** The providers that a task is excluded from have changed. */
  excludedChanged(task: TaskRecord): void {
    if (task.state !== "waiting") return;
    this.taskLeaves(task);
    this.taskWaits(task);
  }

  /** Looks at a task again, because its hold has ended. */
  wake(task: TaskRecord): void {
    if (this.#context.planted.has("wakeForgotten")) return;
    this.#woken.add(task);
  }

  providerChanged(provider: ProviderRecord): void {
    this.#changed.add(provider);
  }

  /** Applies a change to what a user is ordered by. */
  reorder(user: UserRecord, change: () => void): void {
    const wasCapped = user.capped;
    this.backlog.reorder(user, change);
    if (wasCapped && !user.capped) for (const lane of user.lanes) this.#rechecks.add(lane.class);
  }

  learn(attempt: AttemptRecord, gpuMs: number, loadMs: number | null): void {
    const learned = learnFrom(this.#context.estimates, attempt, gpuMs, loadMs);
    if (learned.bucketMoved) this.providerChanged(attempt.provider);
    this.#armAgeing(attempt.provider);
    if (learned.estimatesMoved) this.#wakeHeld();
  }

  /** Reduces the weight of a provider's measured speed, because it was not measured for long. */
  ageSlowness(provider: ProviderRecord): void {
    if (ageSlowness(provider)) this.providerChanged(provider);
    this.#armAgeing(provider);
  }

  #armAgeing({ slownessTimer, speedBucket }: ProviderRecord): void {
    if (speedBucket === 0) this.#context.timers.clear(slownessTimer);
    else this.#context.timers.set(slownessTimer, this.#context.nowMs + SLOWNESS_HALVES_MS);
  }

  /** The next thing to send, or null where nothing more can be sent now. */
  next(): Match | null {
    for (;;) {
      this.#renewChanged();
      const match = this.#nextOffer() ?? this.#nextWoken() ?? this.#nextRecheck();
      if (match !== null) return match;
      if (this.#changed.size + this.#offers.size + this.#woken.size + this.#rechecks.size === 0) return null;
    }
  }

  /** Updates the places of changed providers, wakes the tasks held for them, and puts their free slots on offer. */
  #renewChanged(): void {
    for (let provider = this.#changed.first(); provider !== null; provider = this.#changed.first()) {
      this.#changed.delete(provider);
      const { standing: standingBefore, indexedCost: costBefore, indexedWarmModel: warmBefore } = provider;
      const { kind: kindBefore } = provider;
      for (const task of [...provider.holders]) {
        this.#holds.release(task);
        this.wake(task);
      }
      const { added, gone } = this.fleet.place(provider, this.#context.nowMs);
      // The best free slot of these may be another now, and what waiting is worth beside it.
      const isAsGood =
        provider.standing === "free" &&
        provider.indexedCost <= costBefore &&
        provider.indexedWarmModel === warmBefore &&
        provider.kind === kindBefore;
      if (!isAsGood) for (const task of provider.decliners) this.wake(task);
      if (added !== null) {
        this.backlog.addKind(added);
        this.#wakeHeld();
      }
      const isNews = standingBefore === "unavailable" || provider.indexedCost < costBefore;
      if (isNews && provider.standing !== "unavailable") this.#releaseFromFailed();
      const classesBefore = standingBefore === "unavailable" || kindBefore === null ? [] : [...kindBefore.classes];
      if (gone !== null) this.backlog.dropKind(gone);
      if (provider.standing === "free" || provider.indexedRoom) this.#offers.add(provider);
      // A least price that rises, or a last untried provider that goes, makes other slots right that were free all the while.
      const worse =
        provider.standing === "unavailable" || provider.indexedCost > costBefore || provider.kind !== kindBefore;
      if (!worse) continue;
      for (const taskClass of classesBefore) {
        if (taskClass.frugal || taskClass.exclusion !== null) this.#rechecks.add(taskClass);
      }
    }
  }

  /** Where all had failed a task it may be held for one of them; once there is one that has not, it waits for that one alone. Before
   *  any slot is offered, since a hold bears only with slots that are worth more to its task than the one it waits for. */
  #releaseFromFailed(): void {
    for (const task of this.#holds.tasks()) {
      const { hold } = task;
      if (hold === null || !keepsAway(task.class, hold.provider, this.#context.planted)) continue;
      this.#holds.release(task);
      this.wake(task);
    }
  }

  #nextOffer(): Match | null {
    for (let provider = this.#offers.first(); provider !== null; provider = this.#offers.first()) {
      const match = this.#offer(provider);
      if (match !== null) return match;
      this.#offers.delete(provider);
    }
    return null;
  }

  /** Offers a slot to the tasks that may have it, in order of users and of each user's own tasks, until one of them is sent somewhere. */
  #offer(provider: ProviderRecord, depth = 0): Match | null {
    if (provider.kind === null || (provider.standing !== "free" && !provider.indexedRoom)) return null;
    const declined: TaskRecord[] = [];
    let chosen: Match | null = null;
    while (chosen === null) {
      const task = firstInTurn(provider, this.#context);
      if (task === null) break;
      this.backlog.hide(task);
      declined.push(task);
      if (task.hold !== null && this.#holds.stands(task, task.hold, provider)) continue;
      const verdict = this.#decide(task);
      if (verdict.type === "send") chosen = { task, option: verdict.option };
      // Sending ahead is optional: one look is enough.
      else if (provider.standing !== "free") break;
    }
    for (const task of declined) this.backlog.unhide(task);
    if (chosen === null) return null;
    const other = chosen.option.provider;
    if (other === provider || other.standing !== "free" || depth >= REDIRECTS_MAX) return chosen;
    // It prefers another free slot, to which another task may have the better right.
    return this.#offer(other, depth + 1) ?? chosen;
  }

  #nextWoken(): Match | null {
    for (let task = this.#woken.first(); task !== null; task = this.#woken.first()) {
      this.#woken.delete(task);
      if (task.user.capped) {
        // Its user is at the cap, so it does not wait for anything better either. It is looked at again when its user may have more.
        this.#holds.release(task);
        continue;
      }
      const match = this.#matchFor(task);
      if (match === null) continue;
      if (match.task !== task) this.#woken.add(task);
      return match;
    }
    return null;
  }

  /** Decides who gets the slot that a woken task would take. Another task may have a better right to it. */
  #matchFor(task: TaskRecord): Match | null {
    const verdict = this.#decide(task);
    if (verdict.type !== "send") return null;
    const { provider } = verdict.option;
    const isAlone = provider.kind?.classes.size === 1 && task.class.waiting === 1;
    if (isAlone) return { task, option: verdict.option };
    const match = this.#offer(provider);
    if (match !== null || provider.standing === "free") return match;
    // It would have gone ahead of a slot, to which another had the better right and declined: it has to do with what is free.
    const second = this.#decide(task, { ahead: false });
    return second.type === "send" ? this.#offer(second.option.provider) : null;
  }

  #nextRecheck(): Match | null {
    for (let taskClass = this.#rechecks.first(); taskClass !== null; taskClass = this.#rechecks.first()) {
      const failedToo = letsFailedIn(taskClass, this.#context.planted);
      for (const kind of taskClass.waiting > 0 ? taskClass.kinds : []) {
        // Of one kind the cheapest is enough: who declines it declines the others.
        const provider = cheapestFree(taskClass, kind.all, Infinity, failedToo);
        const match = provider === null ? null : this.#offer(provider);
        if (match !== null) return match;
      }
      this.#rechecks.delete(taskClass);
    }
    return null;
  }

  /** Decides where a task should go now: to a free slot, to a busy one that is worth waiting for, or nowhere yet. */
  #decide(task: TaskRecord, may = { ahead: true }): Verdict {
    this.#holds.release(task);
    const by = choosingFor(task, this.#context);
    const failedToo = letsFailedIn(task.class, this.#context.planted);
    const free = bestFree(task, by, failedToo);
    const ahead = may.ahead && task.class.kinds.some((kind) => kind.withRoom > 0);
    if (free === null && !ahead) return { type: "nowhere" };
    const busy = this.#isHeldBack(task, free) ? bestBusy(task, by, failedToo, free) : null;
    if (may.ahead && busy?.provider.indexedRoom && (free === null || isBetter(busy, free)))
      return { type: "send", option: busy };
    if (free === null) return { type: "nowhere" };
    if (busy === null) return { type: "send", option: free };
    if (task.class.frugal) return { type: "held" };
    return this.#holds.hold(task, busy, free) ? { type: "held" } : { type: "send", option: free };
  }

  /** Whether busy providers are considered for this task. They are not if a free one offers the image input that the task wished for. */
  #isHeldBack(task: TaskRecord, free: Option | null): boolean {
    const wish = task.class.requirements.imageInput === "wish" && !task.class.frugal;
    return !(wish && free?.provider.offer?.imageInput);
  }

  /** Re-evaluates all held tasks, because the estimates behind their holds have changed. */
  #wakeHeld(): void {
    for (const task of this.#holds.tasks()) this.wake(task);
  }

  /** Moves a task to the class that matches its exclusions. */
  #reclass(task: TaskRecord): void {
    const { requirements, frugal } = task.class;
    const exclusion = exclusionOf(task);
    if (exclusion === null && task.class.exclusion === null && this.backlog.isLive(task.class)) return;
    task.class = this.backlog.classOf(requirements, frugal, exclusion, this.fleet.kinds());
  }

  #expectedAnywhereMs(task: TaskRecord): number {
    const kind = task.class.kinds[0];
    return task.units * this.#context.estimates.unitMs(task.profile, kind?.speed ?? null) * (kind?.slowness ?? 1);
  }
}
