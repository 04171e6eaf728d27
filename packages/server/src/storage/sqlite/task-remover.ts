import type { Database, Statement } from "better-sqlite3";
import type { TaskArtifact } from "../../tasks/stored-task.ts";

/** Takes a settled task out with all that hangs on it. Its artifacts' keys are noted until the bytes are gone too. */
export class TaskRemover {
  readonly #artifactsOf: Statement<[number], { artifacts: string }>;
  readonly #orphan: Statement<[string]>;
  readonly #deletions: readonly Statement<[number]>[];
  readonly #inputDeletions: readonly Statement<[number]>[];

  constructor(database: Database) {
    this.#artifactsOf = database.prepare("SELECT artifacts FROM tasks WHERE seq = ? AND keeps_artifacts = 1");
    this.#orphan = database.prepare("INSERT OR IGNORE INTO orphaned_artifacts (key) VALUES (?)");
    this.#deletions = [
      "DELETE FROM tasks WHERE seq = ?",
      ...["pipelines", "large_inputs", "attempts", "events", "outbox"].map(
        (table) => `DELETE FROM ${table} WHERE task_seq = ?`,
      ),
    ].map((sql) => database.prepare(sql));
    this.#inputDeletions = ["pipelines", "large_inputs"].map((table) =>
      database.prepare(`DELETE FROM ${table} WHERE task_seq = ?`),
    );
  }

  remove(taskSeq: number): void {
    const held = this.#artifactsOf.get(taskSeq);
    if (held) this.orphan(JSON.parse(held.artifacts));
    for (const deletion of this.#deletions) deletion.run(taskSeq);
  }

  /** The task stays without what it was to run. */
  removeInput(taskSeq: number): void {
    for (const deletion of this.#inputDeletions) deletion.run(taskSeq);
  }

  /** No task names these any more. */
  orphan(artifacts: readonly TaskArtifact[]): void {
    for (const { key } of artifacts) if (key !== null) this.#orphan.run(key);
  }
}
