import { SlotMap } from "../slot-map.ts";
import type { LiveAttempt } from "./live-task.ts";

/** Attempts that are closed but whose node has not answered yet stay known up to this number; older ones are looked up in the store. */
const RETIRED_MAX = 20_000;

/** Finds attempts by their id on the wire and by their number within a task. */
export class AttemptIndex {
  readonly #byId = new SlotMap<string, LiveAttempt>();
  /** By task; seldom more than one. */
  readonly #byTask = new SlotMap<string, LiveAttempt[]>();
  /** Closed without an answer, oldest first. */
  readonly #retired = new SlotMap<string, LiveAttempt>();

  add(attempt: LiveAttempt): void {
    this.#byId.set(attempt.attemptId, attempt);
    const others = this.#byTask.get(attempt.taskId);
    if (others === undefined) this.#byTask.set(attempt.taskId, [attempt]);
    else others.push(attempt);
  }

  byId(attemptId: string): LiveAttempt | null {
    return this.#byId.get(attemptId) ?? null;
  }

  byRef(taskId: string, attempt: number): LiveAttempt | null {
    return this.#byTask.get(taskId)?.find((each) => each.attempt === attempt) ?? null;
  }

  /** It is closed, but its node may still answer. */
  retire(attempt: LiveAttempt): void {
    this.#retired.set(attempt.attemptId, attempt);
    if (this.#retired.size <= RETIRED_MAX) return;
    for (const oldest of this.#retired.values()) {
      this.forget(oldest);
      break;
    }
  }

  /** Nothing more is expected of it. */
  forget(attempt: LiveAttempt): void {
    this.#retired.delete(attempt.attemptId);
    this.#byId.delete(attempt.attemptId);
    const others = this.#byTask.get(attempt.taskId)?.filter((each) => each !== attempt) ?? [];
    if (others.length === 0) this.#byTask.delete(attempt.taskId);
    else this.#byTask.set(attempt.taskId, others);
  }
}
