import type { Database, Statement } from "better-sqlite3";
import type { NewCredential } from "../../identity/credential-store.ts";
import type { StoreClock } from "../store-clock.ts";

/** Writes credentials inside of the caller's transaction. */
export class Credentials {
  readonly #clock: StoreClock;
  readonly #nextRevision: Statement<[], { value: number }>;
  readonly #add: Statement<unknown[]>;
  readonly #spend: Statement<[number, string, number]>;
  readonly #revoke: Statement<[number, number, string, number]>;
  readonly #nodeHasKey: Statement<[string], { found: number }>;

  constructor(database: Database, clock: StoreClock) {
    this.#clock = clock;
    this.#nextRevision = database.prepare(
      "UPDATE counters SET value = value + 1 WHERE name = 'credentials' RETURNING value",
    );
    this.#add = database.prepare(
      `INSERT INTO credentials (credential_id, kind, secret_hash, subject, details, created_at_ms, expires_at_ms, uses_left, revision)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    );
    this.#spend = database.prepare(
      `UPDATE credentials SET uses_left = uses_left - 1, revision = ? WHERE secret_hash = ? AND kind = 'enrolment'
         AND revoked_at_ms IS NULL AND coalesce(expires_at_ms > ?, 1) AND coalesce(uses_left > 0, 1)`,
    );
    this.#revoke = database.prepare(
      `UPDATE credentials SET revoked_at_ms = ?, revision = ? WHERE credential_id = ? AND revoked_at_ms IS NULL
         AND coalesce(expires_at_ms > ?, 1)`,
    );
    this.#nodeHasKey = database.prepare(
      "SELECT 1 AS found FROM credentials WHERE kind = 'node_key' AND subject = ? AND revoked_at_ms IS NULL",
    );
  }

  add(credential: NewCredential): "added" | "taken" {
    const { credentialId, kind, secretHash, subject, details, expiresAtMs, usesLeft } = credential;
    const { changes } = this.#add.run(
      credentialId,
      kind,
      secretHash,
      subject,
      details,
      this.#clock(),
      expiresAtMs,
      usesLeft,
      this.#revision(),
    );
    return changes === 1 ? "added" : "taken";
  }

  redeem(enrolmentHash: string, nodeKey: NewCredential): "redeemed" | "refused" | "taken" {
    // Looked at before the use is spent: a transaction of many requests is not rolled back for one of them.
    if (this.#nodeHasKey.get(nodeKey.subject) !== undefined) return "taken";
    const { changes } = this.#spend.run(this.#revision(), enrolmentHash, this.#clock());
    if (changes === 0) return "refused";
    return this.add(nodeKey) === "added" ? "redeemed" : "taken";
  }

  revoke(credentialId: string): boolean {
    const now = this.#clock();
    return this.#revoke.run(now, this.#revision(), credentialId, now).changes === 1;
  }

  #revision(): number {
    return this.#nextRevision.get()?.value ?? 0;
  }
}
