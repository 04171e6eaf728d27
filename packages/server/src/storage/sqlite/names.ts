import type { Database, Statement } from "better-sqlite3";

/** How many names are kept in memory; beyond it the oldest are looked up again. */
const KEPT_NAMES_MAX = 10_000;

/** The numbers that stand for long names (users, requirement classes) in the rows. */
export class Names {
  readonly #find: Statement<[string], { seq: number }>;
  readonly #add: Statement<[string]>;
  readonly #known = new Map<string, number>();

  constructor(database: Database, table: "users" | "classes") {
    const [seq, name] = table === "users" ? ["user_seq", "user_id"] : ["class_seq", "class_key"];
    this.#find = database.prepare(`SELECT ${seq} AS seq FROM ${table} WHERE ${name} = ?`);
    this.#add = database.prepare(`INSERT INTO ${table} (${name}) VALUES (?)`);
  }

  /** The name's number, or null where it has none. */
  find(name: string): number | null {
    const known = this.#known.get(name) ?? this.#find.get(name)?.seq;
    return known === undefined ? null : this.#keep(name, known);
  }

  /** The name's number, given out now where it had none. */
  numberOf(name: string): number {
    return this.find(name) ?? this.#keep(name, Number(this.#add.run(name).lastInsertRowid));
  }

  /** After a rollback: numbers that were given out in it are void. */
  forget(): void {
    this.#known.clear();
  }

  #keep(name: string, seq: number): number {
    if (this.#known.size >= KEPT_NAMES_MAX && !this.#known.has(name)) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(name, seq);
    return seq;
  }
}
