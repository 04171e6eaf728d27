import { once } from "node:events";
import { mkdir, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import type { Logger } from "pino";

/** Locks a node's home for this process until it ends, because a second node there would remove what this one is about to deliver. The lock is a
 *  listening socket, which disappears with its process however that ends. Rejects with a sentence if another node has the home. */
export async function lockHome(home: string, logger: Logger): Promise<Server | null> {
  await mkdir(home, { recursive: true });
  const path = join(home, "lock");
  // The second try comes after the socket of a process that is gone was removed.
  for (let tries = 0; tries < 2; tries++) {
    try {
      const server = createServer((socket) => socket.destroy()).listen(path);
      await once(server, "listening");
      server.unref();
      return server;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) {
        // Some file systems know no sockets, and a path may be too long for one: that is no reason not to work.
        logger.warn({ err: error, home }, "the home can't be locked; see to it that no other node uses it");
        return null;
      }
      if (await isAnswered(path)) throw new Error(`Another node lives in ${home}. Give each node a --home of its own.`);
      await rm(path, { force: true });
    }
  }
  throw new Error(`The home ${home} can't be locked: another node starts in it at this moment.`);
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
