import type { Dispatcher, UserLimits } from "@genai/dispatcher";
import { NO_TRACING, type Tracing } from "@genai/tracing";
import type { Logger } from "pino";
import type { UploadLimits } from "../artifacts/attempt-uploads.ts";
import type { Clock } from "../clock.ts";
import { SlotMap } from "../slot-map.ts";
import type { NewTask } from "../tasks/stored-task.ts";
import type { ExpiredTask, TaskStore } from "../tasks/task-store.ts";
import { Admission } from "./admission.ts";
import { AttemptIndex } from "./attempt-index.ts";
import { CommitLoop, type OnCommitted } from "./commit-loop.ts";
import type { CoordinatorState } from "./coordinator-state.ts";
import { DispatcherLoop, type DispatcherTrace } from "./dispatcher-loop.ts";
import { EffectRunner } from "./effect-runner.ts";
import { EstimatesKeeper } from "./estimates-keeper.ts";
import { NewsHub } from "./news-hub.ts";
import { NodeDesk } from "./node-desk.ts";
import type { NodeEvents } from "./node-events.ts";
import type { NodeSessions } from "./node-sessions.ts";
import { NodeTallies, type NodeTally } from "./node-tallies.ts";
import { SettledWaiters } from "./settled-waiters.ts";
import { type Idempotency, Submissions } from "./submissions.ts";
import type { CancelOutcome, EndWait, SubmitOutcome, TaskNews, TaskService } from "./task-service.ts";
import { UserCounts } from "./user-counts.ts";

export interface CoordinatorOptions {
  readonly store: TaskStore;
  readonly sessions: NodeSessions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leaseMs: number;
  /** As the dispatcher's option of this name. Default 0. */
  readonly warmTurnsMax?: number;
  /** A task without a deadline is given up after this long, in milliseconds. */
  readonly taskTtlMs: number;
  /** What each user may do. */
  readonly userLimits: (userId: string) => UserLimits;
  /** Most bytes that the large inputs of one user's tasks may take in the store. Default null, no bound. */
  readonly inputBytesMax?: number | null;
  /** What each attempt may upload. */
  readonly uploadLimits: UploadLimits;
  /** Removes pictures that no result names. */
  readonly discard: (keys: readonly string[]) => void;
  /** Where spans of waits, attempts and results go. Default nowhere. */
  readonly tracing?: Tracing;
  readonly trace?: DispatcherTrace;
  readonly onCommitted?: OnCommitted;
}

/** How often steps of open attempts are written down, the store is looked through for tasks that nobody told of, and the loop proves to
 *  itself that it runs. */
const BEAT_MS = 1_000;
/** Every so many beats it is looked for what servers left that are gone: their claims outlive them by 20 s anyway. */
const TAKE_OVER_BEATS = 5;

/** The shell around the dispatcher: the one place where submissions, what nodes say, the clock and the store meet.
 *
 *  Each input is stepped through the dispatcher at once; what it decides is committed with everything else of the same turn, and
 *  told afterwards. The parts: {@link Submissions} (users), {@link NodeDesk} (nodes), {@link Admission} (the window),
 *  {@link EffectRunner} (decisions), {@link CommitLoop} (the disk), {@link EstimatesKeeper} (what was learned). */
export class Coordinator implements TaskService {
  /** What nodes say goes here. */
  readonly nodes: NodeEvents;
  readonly #state: CoordinatorState;
  readonly #admission: Admission;
  readonly #submissions: Submissions;
  readonly #runner: EffectRunner;
  readonly #desk: NodeDesk;
  readonly #estimates: EstimatesKeeper;
  #beat: NodeJS.Timeout | null = null;

  constructor(options: CoordinatorOptions) {
    const { store, sessions, clock, logger, taskTtlMs, userLimits } = options;
    const loop = new DispatcherLoop({
      clock,
      logger,
      leaseMs: options.leaseMs,
      warmTurnsMax: options.warmTurnsMax ?? 0,
      trace: options.trace,
      carryOut: (effects) => {
        this.#runner.run(effects);
        this.#admission.refill();
      },
    });
    const commits = new CommitLoop(store, {
      nowMs: () => clock.monotonicMs(),
      onOutage: (away, forMs, error) => {
        if (away) logger.error({ err: error }, "the store is away; new tasks are refused until it is back");
        else logger.warn({ awayMs: Math.round(forMs) }, "the store is back");
        if (!away) loop.forgive(forMs);
      },
      onCommitted: options.onCommitted,
      onKept: (taskId) => this.#admission.reclaim(taskId),
    });
    this.#state = {
      store,
      sessions,
      clock,
      logger,
      tracing: options.tracing ?? NO_TRACING,
      taskTtlMs,
      userLimits,
      loop,
      commits,
      news: new NewsHub(),
      waiters: new SettledWaiters(store),
      queued: new UserCounts((userId) => store.queuedOf(userId), commits),
      inputBytes: new UserCounts((userId) => store.inputBytesOf(userId), commits),
      inputBytesMax: options.inputBytesMax ?? null,
      tasks: new SlotMap(),
      attempts: new AttemptIndex(),
      providers: new Map(),
      tallies: new NodeTallies(),
      uploadLimits: options.uploadLimits,
      discard: options.discard,
    };
    this.#admission = new Admission(this.#state);
    this.#submissions = new Submissions(this.#state, this.#admission);
    this.#runner = new EffectRunner(this.#state, this.#admission);
    this.#estimates = new EstimatesKeeper(store, loop.dispatcher, logger);
    this.#desk = new NodeDesk(this.#state, this.#admission);
    this.nodes = this.#desk;
  }

  /** Takes up what the process before left. Call once, before any input. */
  async start(): Promise<void> {
    // Nobody could renew a lease while there was no server.
    this.#state.loop.forgive(Number.POSITIVE_INFINITY);
    await this.#estimates.open();
    await this.#admission.open();
    let beats = 0;
    this.#beat = setInterval(() => {
      this.#state.loop.feed({ type: "tick" });
      this.#runner.flushSteps();
      beats += 1;
      this.#admission.look(beats % TAKE_OVER_BEATS === 0);
    }, BEAT_MS);
  }

  /** Nodes are given no more. To be called before their sessions are closed: what ends with those is not held against anybody. */
  stopGiving(): void {
    this.#desk.stop();
  }

  /** Writes down what is in memory and stops. Sessions and HTTP are to be closed before. */
  async close(): Promise<void> {
    const { loop, commits, waiters } = this.#state;
    if (this.#beat !== null) clearInterval(this.#beat);
    loop.close();
    this.#runner.flushSteps();
    this.#estimates.close();
    if (!commits.away) {
      await commits.settled();
      await this.#estimates.keep();
    }
    commits.close();
    waiters.close();
  }

  /** For questions (`explain`, `whatIf`, `demand` …); inputs go through the coordinator. */
  get dispatcher(): Dispatcher {
    return this.#state.loop.dispatcher;
  }

  /** False while the last commit failed. */
  get storeIsWritable(): boolean {
    return !this.#state.commits.away;
  }

  /** Progress of a task's open attempt, 0 to 1; null where none is known. */
  progressOf(taskId: string): number | null {
    const attempts = [...(this.#state.tasks.get(taskId)?.attempts.values() ?? [])].filter((attempt) => attempt.open);
    return attempts.length === 0 ? null : Math.max(...attempts.map((attempt) => attempt.progress));
  }

  /** Tasks of this server that run. Costs as much as the window holds. */
  runningTaskCount(): number {
    let count = 0;
    for (const { stored } of this.#state.tasks.values()) if (stored.state === "running") count++;
    return count;
  }

  /** How a node's attempts ended since the server started. */
  tallyOf(nodeId: string): NodeTally {
    return this.#state.tallies.of(nodeId);
  }

  submit(task: NewTask, idempotency: Idempotency | null): Promise<SubmitOutcome> {
    return this.#submissions.submit(task, idempotency);
  }

  cancel(taskId: string): Promise<CancelOutcome> {
    return this.#submissions.cancel(taskId);
  }

  awaitEnd(taskId: string, timeoutMs: number): EndWait {
    const { waiters, tasks } = this.#state;
    // Listen before looking, so that an end in between is not missed.
    const wait = waiters.wait(taskId, timeoutMs);
    if (tasks.has(taskId)) return wait;
    // A look at a store that is away goes on for a moment after the wait is given up.
    const lookedUp = waiters.lookUp(taskId).then(() => wait.ended);
    return { ended: Promise.race([wait.ended, lookedUp]), giveUp: wait.giveUp };
  }

  /** The store ended these by itself. To be called before anything else that the store says is heard: news are told in the order of
   *  the log. */
  expired(tasks: readonly ExpiredTask[]): void {
    const { news, waiters } = this.#state;
    for (const { event, classKey } of tasks) {
      this.#admission.endedOutside(event.taskId, event.userId, classKey);
      news.publishEvent(event);
      void waiters.lookUp(event.taskId);
    }
  }

  /** What a user may do, as `userLimits` says it, may be another from now on. */
  limitsChanged(userId: string): void {
    this.#admission.announce(userId, this.#state.userLimits(userId));
  }

  subscribe(topic: `task:${string}` | `user:${string}`, listener: (news: TaskNews) => void): () => void {
    return this.#state.news.subscribe(topic, listener);
  }
}
