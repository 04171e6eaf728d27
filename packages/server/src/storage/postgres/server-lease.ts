import type { Pool } from "pg";

/** How long a server's claims outlive its last sign of life, in milliseconds. */
const ALIVE_MS = 20_000;

/** Four renewals in that time: one or two may fail. */
const RENEW_MS = 5_000;

/** Says for how long the claims of this server count. A claim names its server and ends with it, so renewing all claims is one row. */
export class ServerLease {
  readonly #pool: Pool;
  readonly #serverId: string;
  #timer: NodeJS.Timeout | null = null;

  constructor(pool: Pool, serverId: string) {
    this.#pool = pool;
    this.#serverId = serverId;
  }

  /** Renews now, and from then on by itself. */
  async begin(): Promise<void> {
    await this.#renew();
    this.#timer = setInterval(() => {
      // The database is away: the next renewal, in time or not, brings the lease back. Guards keep two owners from harm.
      this.#renew().catch(() => undefined);
    }, RENEW_MS);
    this.#timer.unref();
  }

  /** Ends it: other servers may take what this one held at once. */
  async end(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#pool.query("UPDATE servers SET alive_until_ms = 0 WHERE server_id = $1", [this.#serverId]);
  }

  async #renew(): Promise<void> {
    await this.#pool.query(
      `INSERT INTO servers VALUES ($1, now_ms() + ${ALIVE_MS})
       ON CONFLICT (server_id) DO UPDATE SET alive_until_ms = excluded.alive_until_ms`,
      [this.#serverId],
    );
  }
}
