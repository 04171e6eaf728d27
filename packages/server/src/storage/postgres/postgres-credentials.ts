import type { ClientBase, Pool } from "pg";
import type { Credential, NewCredential } from "../../identity/credential-store.ts";
import { CREDENTIAL_COLUMNS } from "../credential-row.ts";
import { plain } from "./change-argument.ts";
import type { Query } from "./postgres-reader.ts";
import { inTransaction } from "./transaction.ts";

/** Writers take turns, so that revisions are committed in their order and a reader that goes on from one misses none before it. */
const CREDENTIALS_LOCK = 0x67656e616b;

/** Credentials, shared by all servers of the database. */
export class PostgresCredentials {
  readonly #pool: Pool;
  readonly #query: Query;

  constructor(pool: Pool, query: Query) {
    this.#pool = pool;
    this.#query = query;
  }

  add(credential: NewCredential): Promise<"added" | "taken"> {
    return this.#alone((client) => insert(client, credential));
  }

  redeem(enrolmentHash: string, nodeKey: NewCredential): Promise<"redeemed" | "refused" | "taken"> {
    return this.#alone(async (client) => {
      const { rows: held } = await client.query(
        "SELECT 1 FROM credentials WHERE kind = 'node_key' AND subject = $1 AND revoked_at_ms IS NULL",
        [plain(nodeKey.subject)],
      );
      if (held.length > 0) return "taken";
      const { rowCount } = await client.query(
        `UPDATE credentials SET uses_left = uses_left - 1, revision = nextval('credential_revisions')
         WHERE secret_hash = $1 AND kind = 'enrolment' AND revoked_at_ms IS NULL
           AND coalesce(expires_at_ms > now_ms(), true) AND coalesce(uses_left > 0, true)`,
        [enrolmentHash],
      );
      if (rowCount === 0) return "refused";
      return (await insert(client, nodeKey)) === "added" ? "redeemed" : "taken";
    });
  }

  revoke(credentialId: string): Promise<boolean> {
    return this.#alone(async (client) => {
      const { rowCount } = await client.query(
        `UPDATE credentials SET revoked_at_ms = now_ms(), revision = nextval('credential_revisions')
         WHERE credential_id = $1 AND revoked_at_ms IS NULL AND coalesce(expires_at_ms > now_ms(), true)`,
        [plain(credentialId)],
      );
      return rowCount === 1;
    });
  }

  after(revision: number, limit: number): Promise<readonly Credential[]> {
    return this.#query<Credential & Record<string, unknown>>(
      "credentialsAfter",
      `SELECT ${CREDENTIAL_COLUMNS} FROM credentials WHERE revision > $1 ORDER BY revision LIMIT $2`,
      [revision, limit],
    );
  }

  #alone<Result>(work: (client: ClientBase) => Promise<Result>): Promise<Result> {
    return inTransaction(this.#pool, async (client) => {
      await client.query(`SELECT pg_advisory_xact_lock(${CREDENTIALS_LOCK})`);
      return await work(client);
    });
  }
}

async function insert(client: ClientBase, credential: NewCredential): Promise<"added" | "taken"> {
  const { credentialId, kind, secretHash, subject, details, expiresAtMs, usesLeft } = credential;
  const { rowCount } = await client.query(
    `INSERT INTO credentials (credential_id, kind, secret_hash, subject, details, created_at_ms, expires_at_ms, uses_left, revision)
     VALUES ($1, $2, $3, $4, $5, now_ms(), $6, $7, nextval('credential_revisions')) ON CONFLICT DO NOTHING`,
    [credentialId, kind, secretHash, plain(subject), plain(details), expiresAtMs, usesLeft],
  );
  return rowCount === 1 ? "added" : "taken";
}
