import { type HttpAnswer, HttpConnection } from "./http-connection.ts";

/** Callers that ask one thing after the other, each on a connection of its own. */
export class Callers implements Disposable {
  readonly #connections: readonly HttpConnection[];

  private constructor(connections: readonly HttpConnection[]) {
    this.#connections = connections;
  }

  static async open(port: number, count: number): Promise<Callers> {
    return new Callers(await Promise.all(Array.from({ length: count }, () => HttpConnection.open(port))));
  }

  /** Lets them make `count` calls in all. Returns how long each took, in milliseconds; throws at the first that throws. */
  async make(
    count: number,
    call: (connection: HttpConnection, n: number) => Promise<unknown>,
  ): Promise<readonly number[]> {
    const latencies: number[] = [];
    let next = 0;
    await Promise.all(
      this.#connections.map(async (connection) => {
        while (next < count) {
          const n = next++;
          const startedAtMs = performance.now();
          await call(connection, n);
          latencies.push(performance.now() - startedAtMs);
        }
      }),
    );
    return latencies;
  }

  [Symbol.dispose](): void {
    for (const connection of this.#connections) connection.close();
  }
}

/** The answer's body, parsed. Throws where its status is another. */
export function expectStatus(answer: HttpAnswer, status: number): unknown {
  if (answer.status !== status)
    throw new Error(`An answer of ${answer.status} instead of ${status}: ${answer.body.slice(0, 500)}`);
  return answer.body === "" ? null : JSON.parse(answer.body);
}
