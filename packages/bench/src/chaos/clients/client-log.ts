/** How a task stands, as its caller saw it. */
export interface SeenEnd {
  readonly state: string;
  /** What the task came to, without the URLs' signatures, which change. */
  readonly artifacts: readonly string[];
}

/** What a client was told about one task that the server acknowledged. */
export interface LoggedTask {
  readonly taskId: string;
  readonly token: string;
  readonly ackAtMs: number;
  /** The caller was told that the task is canceled. */
  canceled: boolean;
  /** The first end that the caller saw; null where it saw none. */
  end: SeenEnd | null;
  /** When the caller first saw that. */
  endAtMs: number | null;
}

/** The clients' own log: what they were told, apart from anything that the server keeps. */
export class ClientLog {
  readonly #tasks = new Map<string, LoggedTask>();
  readonly #violations: string[] = [];
  /** Submissions whose answer never came and that could not be repeated. */
  unanswered = 0;
  /** Answers that refused with 503, and how long the slowest took, in milliseconds. */
  refused = 0;
  slowestRefusalMs = 0;
  /** 503 answers without Retry-After. */
  refusedWithoutHint = 0;

  get tasks(): readonly LoggedTask[] {
    return [...this.#tasks.values()];
  }

  get violations(): readonly string[] {
    return this.#violations;
  }

  acknowledged(taskId: string, token: string): LoggedTask {
    const known = this.#tasks.get(taskId);
    if (known !== undefined) return known;
    const task: LoggedTask = { taskId, token, ackAtMs: performance.now(), canceled: false, end: null, endAtMs: null };
    this.#tasks.set(taskId, task);
    return task;
  }

  /** A view of an ended task; every later one must say the same. */
  saw(task: LoggedTask, end: SeenEnd): void {
    task.end ??= end;
    task.endAtMs ??= performance.now();
    if (JSON.stringify(task.end) !== JSON.stringify(end)) {
      this.violation(
        `Task ${task.taskId} was seen ended as ${JSON.stringify(task.end)} and later as ${JSON.stringify(end)}.`,
      );
    }
    if (task.canceled && end.state !== "canceled" && task.end.state === "canceled") {
      this.violation(`Task ${task.taskId} was canceled and ended as ${end.state}.`);
    }
  }

  refusal(afterMs: number, hasRetryAfter: boolean): void {
    this.refused += 1;
    this.slowestRefusalMs = Math.max(this.slowestRefusalMs, afterMs);
    if (!hasRetryAfter) this.refusedWithoutHint += 1;
  }

  violation(sentence: string): void {
    this.#violations.push(sentence);
  }
}
