import type { RequestListener, Server } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

/** No request for so long, in milliseconds: callers who send one after the other on one connection have heard that it closes. */
const QUIET_MS = 50;
/** Longest wait for that. */
const BUSY_MS = 500;
const LOOK_MS = 10;

/** Ends a server's HTTP in order, within `withinMs` milliseconds. What has come is answered, and each answer closes its connection; new
 *  connections are taken until it is quiet, since one that is cut while a request is on its way tells its caller nothing of the
 *  outcome. `openCount` tells how many connections there are, nodes' included, which are closed by their owner. */
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
