import pg, { type QueryConfig, type QueryResult } from "pg";
import { CALL_MS_MAX, connectionSettings } from "./connection.ts";
import { markConnection } from "./server-connections.ts";

/** The one connection that writes groups of changes, in a server's name. What is sent on it goes out at once and is carried out in order, each as a transaction
 *  of its own: while the database works on one, the next lies at its door already. Broken, the next call opens another. */
export class WriteConnection {
  readonly #url: string;
  readonly #serverId: string;
  #client: Promise<pg.Client> | null = null;

  constructor(url: string, serverId: string) {
    this.#url = url;
    this.#serverId = serverId;
  }

  /** Rejects after `callMs`, and takes along whatever was sent behind it: who waits no longer for an answer ends the connection. */
  async query(config: QueryConfig, callMs: number): Promise<QueryResult> {
    const client = await (this.#client ?? this.#open());
    return await client.query({ ...config, query_timeout: callMs } as QueryConfig);
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => null);
    await client?.end();
  }

  #open(): Promise<pg.Client> {
    const client = new pg.Client({ ...connectionSettings(this.#url, CALL_MS_MAX), pipeline: true });
    const opened = this.#connect(client);
    // A broken one says so twice, and the second time another may have its place.
    const drop = (): void => {
      if (this.#client === opened) this.#client = null;
    };
    client.on("error", drop).on("end", drop);
    opened.catch(drop);
    this.#client = opened;
    return opened;
  }

  async #connect(client: pg.Client): Promise<pg.Client> {
    await client.connect();
    try {
      await markConnection(client, this.#serverId);
    } catch (error) {
      void client.end();
      throw error;
    }
    return client;
  }
}
