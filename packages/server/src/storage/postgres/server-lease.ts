import type { Pool } from "pg";

/** How long a server's claims outlive its last sign of life, in milliseconds. */
const ALIVE_MS = 20_000;

/** Four renewals in that time: one or two may fail. */
const RENEW_MS = 5_000;

/** Selects the servers that live. A lease that ends later than two could is of before the database's clock went back: whoever lives has
 *  renewed it since, and of the others nobody would hear for as long. */
export const LIVING_SERVERS = `SELECT server_id FROM servers WHERE alive_until_ms BETWEEN now_ms() AND now_ms() + ${2 * ALIVE_MS}`;

/** Says for how long the claims of this server count. A claim names its server and ends with it, so renewing all claims is one row. `pool` is
 *  the lease's own and ends with it: behind slow reads a server that lives would seem gone. */
export class ServerLease {
  readonly #pool: Pool;
  readonly #serverId: string;
  #timer: NodeJS.Timeout | null = null;
  /** One renewal is under way at a time: the second would find the lease that the first brought back, and not that it had lapsed. */
  #renewing: Promise<void> = Promise.resolve();
  #amnestyUntilMs = 0;

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

  /** Whether a server whose lease has lapsed is gone. Not for one lease after this server's own lapsed, by the clock's jump too, or could not
   *  be renewed: whatever kept this one from the database may have kept the others from it too, and those have to have had the time to come
   *  back. */
  async tellsWhoIsGone(): Promise<boolean> {
    await this.#renew();
    return performance.now() >= this.#amnestyUntilMs;
  }

  /** Ends it: other servers may take what this one held at once. Rejects where the database is away; it ends by itself then. */
  async end(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#renewing;
    try {
      await this.#pool.query("UPDATE servers SET alive_until_ms = 0 WHERE server_id = $1", [this.#serverId]);
    } finally {
      await this.#pool.end();
    }
  }

  #renew(): Promise<void> {
    const renewal = this.#renewing.then(() => this.#renewOnce());
    this.#renewing = renewal.catch(() => undefined);
    return renewal;
  }

  async #renewOnce(): Promise<void> {
    // Until the answer is there it may be any.
    let lapsed = true;
    try {
      const { rows } = await this.#pool.query<{ lapsed: boolean }>(
        `WITH before AS (SELECT alive_until_ms FROM servers WHERE server_id = $1)
         INSERT INTO servers VALUES ($1, now_ms() + ${ALIVE_MS})
         ON CONFLICT (server_id) DO UPDATE SET alive_until_ms = excluded.alive_until_ms
         RETURNING coalesce((SELECT alive_until_ms NOT BETWEEN now_ms() AND now_ms() + ${ALIVE_MS} FROM before), false) AS lapsed`,
        [this.#serverId],
      );
      lapsed = rows[0]?.lapsed ?? true;
    } finally {
      if (lapsed) this.#amnestyUntilMs = performance.now() + ALIVE_MS;
    }
  }
}
