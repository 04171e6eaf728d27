/** What a task's guards look at, kept up to date by who writes. */
export interface TaskHead {
  readonly seq: number;
  readonly userSeq: number;
  readonly userId: string;
  readonly classSeq: number;
  readonly webhook: string | null;
  state: number;
  claimed: number;
  eventNumber: number;
}

/** What the guard of an attempt looks at; the same of it. */
export interface OpenAttempt {
  readonly taskSeq: number;
  readonly userSeq: number;
  readonly attempt: number;
  readonly cost: number;
  gpuMs: number;
}

/** Tasks and attempts remembered, of each; beyond it the oldest are looked up again. */
const KEPT_MAX = 16_384;

/** The heads of tasks that this server holds and their open attempts. A task's changes follow each other within moments, and each begins
 *  with a look at its head: a third of a change's statements. Only what is held is here, because claims and sweeps, the others who write
 *  tasks, keep their hands off that. */
export class HeldTasks {
  readonly #tasks = new Map<string, TaskHead>();
  readonly #attempts = new Map<string, OpenAttempt>();

  task(taskId: string): TaskHead | undefined {
    return this.#tasks.get(taskId);
  }

  attempt(attemptId: string): OpenAttempt | undefined {
    return this.#attempts.get(attemptId);
  }

  holdTask(taskId: string, head: TaskHead): void {
    keep(this.#tasks, taskId, head);
  }

  holdAttempt(attemptId: string, attempt: OpenAttempt): void {
    keep(this.#attempts, attemptId, attempt);
  }

  leaveTask(taskId: string): void {
    this.#tasks.delete(taskId);
  }

  leaveAttempt(attemptId: string): void {
    this.#attempts.delete(attemptId);
  }

  /** After a rollback, and where somebody else may have written: everything is looked up again. */
  forget(): void {
    this.#tasks.clear();
    this.#attempts.clear();
  }
}

function keep<Value>(kept: Map<string, Value>, id: string, value: Value): void {
  if (kept.size >= KEPT_MAX && !kept.has(id)) {
    const oldest = kept.keys().next();
    if (!oldest.done) kept.delete(oldest.value);
  }
  kept.set(id, value);
}
