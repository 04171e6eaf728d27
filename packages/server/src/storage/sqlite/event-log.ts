import type { Database, Statement } from "better-sqlite3";
import type { TaskEvent } from "../../tasks/stored-task.ts";
import { STATE_NUMBER } from "../task-row.ts";

/** Appends to the log of all tasks. Positions grow by one in the order of commits and are never used twice, deleted tasks' included. */
export class EventLog {
  readonly #insert: Statement<[number, number, number, number, number, number, string]>;
  readonly #load: Statement<[], { value: number }>;
  readonly #save: Statement<[number]>;
  #position: number;
  #saved: number;

  constructor(database: Database) {
    this.#insert = database.prepare(
      "INSERT INTO events (task_seq, number, position, user_seq, at_ms, state, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
    );
    this.#load = database.prepare("SELECT value FROM counters WHERE name = 'position'");
    this.#save = database.prepare("UPDATE counters SET value = ? WHERE name = 'position'");
    this.#position = this.#saved = this.#load.get()?.value ?? 0;
  }

  append(taskSeq: number, userSeq: number, event: Omit<TaskEvent, "position">): TaskEvent {
    this.#position += 1;
    this.#insert.run(
      taskSeq,
      event.number,
      this.#position,
      userSeq,
      event.atMs,
      STATE_NUMBER[event.state],
      JSON.stringify(event.detail),
    );
    return { position: this.#position, ...event };
  }

  /** The last step before a commit. */
  flush(): void {
    if (this.#position !== this.#saved) this.#save.run(this.#position);
  }

  committed(): void {
    this.#saved = this.#position;
  }

  rolledBack(): void {
    this.#position = this.#saved;
  }
}
