import { EventEmitter } from "node:events";
import type {
  CancelOutcome,
  EndWait,
  SubmitOutcome,
  TaskNews,
  TaskService,
} from "../../src/coordinator/task-service.ts";
import { matchesFilter } from "../../src/storage/task-filter.ts";
import type {
  NewTask,
  StoredAttempt,
  StoredTask,
  TaskArtifact,
  TaskEvent,
  TaskState,
} from "../../src/tasks/stored-task.ts";
import { StoreUnavailable, type TaskPage, type TaskStore } from "../../src/tasks/task-store.ts";
import { storedTask } from "./stored-task.ts";

/** Tasks in memory behind the two interfaces that the HTTP side sees; a test plays the nodes. */
export class FakeTasks {
  readonly submitted: NewTask[] = [];
  /** What the next submissions come to, instead of being stored. */
  outcome: Exclude<SubmitOutcome, { type: "stored" | "repeated" }> | null = null;
  storeIsAway = false;
  readonly attempts = new Map<string, readonly StoredAttempt[]>();
  readonly #events = new Map<string, TaskEvent[]>();
  readonly #news = new EventEmitter().setMaxListeners(0);
  #position = 0;
  /** Position up to which the log has entries that nobody was told of. */
  #untoldUpTo = 0;
  readonly #tasks = new Map<string, StoredTask>();
  readonly #keys = new Map<string, { readonly taskId: string; readonly bodyHash: string }>();
  readonly #waiters = new Set<() => void>();

  readonly service: TaskService = {
    submit: async (task, idempotency) => this.#submit(task, idempotency),
    cancel: async (taskId): Promise<CancelOutcome> => {
      const task = this.#tasks.get(taskId);
      if (task === undefined) return { type: "unknown" };
      if (task.settledAtMs !== null) return { type: "ended", task };
      return { type: "canceled", task: this.settle(taskId, { state: "canceled" }) };
    },
    awaitEnd: (taskId, timeoutMs) => this.#awaitEnd(taskId, timeoutMs),
    subscribe: (topic, listener) => {
      this.#news.on(topic, listener);
      return () => this.#news.off(topic, listener);
    },
  };

  /** Only what the HTTP side reads; any other call is a test's mistake. */
  readonly store: TaskStore = new Proxy({} as TaskStore, {
    get: (_target, name) => {
      const method = this.#reads[name as keyof TaskStore];
      if (method === undefined) throw new Error(`the fake store has no ${String(name)}`);
      return async (...given: never[]) => {
        if (this.storeIsAway) throw new StoreUnavailable("the store is away", "rolled_back");
        return (method as (...all: never[]) => unknown)(...given);
      };
    },
  });

  readonly #reads: Partial<TaskStore> = {
    task: async (taskId) => this.#tasks.get(taskId) ?? null,
    tasksOf: async (userId, filter, limit, cursor): Promise<TaskPage> => {
      const tasks = [...this.#tasks.values()]
        .filter((task) => task.userId === userId && (cursor === null || task.taskId < cursor))
        .filter((task) => matchesFilter(task, filter))
        .reverse();
      const page = tasks.slice(0, limit);
      return { tasks: page, next: tasks.length > limit ? (page.at(-1)?.taskId ?? null) : null };
    },
    pipelineOf: async (taskId) => this.submitted.find((task) => task.taskId === taskId)?.pipeline ?? null,
    usageOf: async (userId) => {
      const tasks = { queued: 0, running: 0, succeeded: 0, failed: 0, canceled: 0 };
      for (const task of this.#tasks.values()) if (task.userId === userId) tasks[task.state] += 1;
      return { tasks, gpuMs: 0, cost: 0 };
    },
    commit: async (changes) =>
      changes.map((change) => {
        if (change.type !== "taskDeleted") throw new Error(`the fake store has no ${change.type}`);
        return this.#tasks.delete(change.taskId)
          ? { type: "applied", event: null }
          : { type: "conflict", taskId: null };
      }),
    attemptsOf: async (taskId) => this.attempts.get(taskId) ?? [],
    eventsOf: async (taskId, after, limit) =>
      (this.#events.get(taskId) ?? []).filter((event) => event.number > after).slice(0, limit),
    eventsOfUser: async (userId, after, limit) =>
      [...this.#events.values()]
        .flat()
        .filter((event) => event.userId === userId && event.position > after)
        .sort((a, b) => a.position - b.position)
        .slice(0, limit),
    backlog: async () => [],
    queuedOf: async (userId) =>
      [...this.#tasks.values()].filter((task) => task.userId === userId && task.state === "queued").length,
    lastPosition: async () => this.#position,
    ping: async () => {},
  };

  /** Moves a task to a state; its event is stored and told, but for one of another server. */
  move(
    taskId: string,
    state: TaskState,
    detail: TaskEvent["detail"] = {},
    { elsewhere = false }: { readonly elsewhere?: boolean } = {},
  ): StoredTask {
    const task = this.#tasks.get(taskId);
    if (task === undefined) throw new Error(`no task ${taskId}`);
    const events = this.#events.get(taskId) ?? [];
    this.#position += 1;
    const number = events.length + 1;
    const event = { position: this.#position, taskId, userId: task.userId, number, atMs: number, state, detail };
    this.#events.set(taskId, [...events, event]);
    const moved = { ...task, state, eventNumber: number };
    this.#tasks.set(taskId, moved);
    if (elsewhere) this.#untoldUpTo = event.position;
    else this.tell({ type: "event", event, toldAfter: this.#untoldUpTo });
    return moved;
  }

  /** How many calls wait for an end. */
  get waiterCount(): number {
    return this.#waiters.size;
  }

  /** How many streams listen. */
  get listenerCount(): number {
    return this.#news.eventNames().reduce((sum, name) => sum + this.#news.listenerCount(name), 0);
  }

  /** News, as the coordinator tells them. */
  tell(news: TaskNews): void {
    const { taskId, userId } = news.type === "event" ? news.event : news;
    this.#news.emit(`task:${taskId}`, news);
    this.#news.emit(`user:${userId}`, news);
  }

  /** Ends a task as a node would. */
  settle(
    taskId: string,
    end: Partial<StoredTask> & { readonly state: "succeeded" | "failed" | "canceled" },
  ): StoredTask {
    const settled = { ...this.move(taskId, end.state), ...end, settledAtMs: 2 };
    this.#tasks.set(taskId, settled);
    for (const waiter of this.#waiters) waiter();
    return settled;
  }

  /** What the requests with idempotency keys were stored with. */
  get bodyHashes(): readonly string[] {
    return [...this.#keys.values()].map(({ bodyHash }) => bodyHash);
  }

  #submit(task: NewTask, idempotency: Parameters<TaskService["submit"]>[1]): SubmitOutcome {
    if (this.storeIsAway) return { type: "unavailable", retryAfterMs: 2_000 };
    if (this.outcome !== null) return this.outcome;
    const key = idempotency === null ? null : `${task.userId} ${idempotency.key}`;
    const known = key === null ? undefined : this.#keys.get(key);
    if (known !== undefined) {
      if (known.bodyHash !== idempotency?.bodyHash) return { type: "key_reused" };
      return { type: "repeated", task: this.#tasks.get(known.taskId) as StoredTask };
    }
    if (key !== null && idempotency !== null) {
      this.#keys.set(key, { taskId: task.taskId, bodyHash: idempotency.bodyHash });
    }
    this.submitted.push(task);
    const stored = storedTask(task);
    this.#tasks.set(task.taskId, stored);
    this.move(task.taskId, "queued");
    return { type: "stored", task: stored };
  }

  #awaitEnd(taskId: string, timeoutMs: number): EndWait {
    let giveUp = (): void => {};
    const ended = new Promise<StoredTask | null>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(look);
        const task = this.#tasks.get(taskId);
        resolve(task !== undefined && task.settledAtMs !== null ? task : null);
      };
      const look = (): void => {
        if (this.#tasks.get(taskId)?.settledAtMs !== null) end();
      };
      const timer = setTimeout(end, timeoutMs);
      giveUp = end;
      this.#waiters.add(look);
      look();
    });
    return { ended, giveUp };
  }
}

/** A picture in our own store. */
export function artifact(index: number, fields: Partial<TaskArtifact> = {}): TaskArtifact {
  return {
    index,
    key: `attempts/a/${index}`,
    url: null,
    sha256: null,
    bytes: 3,
    mime: "image/png",
    width: null,
    height: null,
    seed: null,
    ...fields,
  };
}
