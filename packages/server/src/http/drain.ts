import type { RequestListener, Server } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

/** How long no request must arrive, in milliseconds, to know that callers who reuse a connection have learned that it closes. */
const QUIET_MS = 50;
/** Longest wait for that, in milliseconds. */
const BUSY_MS = 500;
const LOOK_MS = 10;

/** Shuts a server's HTTP down gracefully, within `withinMs` milliseconds. Requests that have arrived are answered, and each answer closes its
 *  connection. New connections are accepted until no more requests arrive, because cutting one while a request is in transit would leave its
 *  caller without an outcome. `openCount` is the number of open connections, including those of nodes, which their owner closes. */
export async function drainHttp(
  http: Server,
  { close, openCount, withinMs }: { close(): void; openCount(): number; readonly withinMs: number },
): Promise<void> {
  const startMs = performance.now();
  let newestMs = startMs;
  const lastOfItsConnection: RequestListener = (_request, response) => {
    response.shouldKeepAlive = false;
    newestMs = performance.now();
  };
  http.prependListener("request", lastOfItsConnection);
  const passedMs = (sinceMs: number): number => performance.now() - sinceMs;
  while (openCount() > 0 && passedMs(newestMs) < QUIET_MS && passedMs(startMs) < BUSY_MS) await delay(LOOK_MS);
  close();
  while (openCount() > 0 && passedMs(startMs) < withinMs) {
    http.closeIdleConnections();
    await delay(LOOK_MS);
  }
  http.closeAllConnections();
}
