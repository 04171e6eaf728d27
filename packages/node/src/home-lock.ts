import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import type { Logger } from "pino";

/** Locks a node's home, which is there, for this process until it ends, because a second node in it would remove what this one is about to
 *  deliver. The lock is a listening socket, which disappears with its process however that ends. Rejects with a sentence if another node has the
 *  home. */
export async function lockHome(home: string, logger: Logger): Promise<Server | null> {
  const path = join(home, "lock");
  // The second try comes after the socket of a process that is gone was removed.
  for (let tries = 0; tries < 2; tries++) {
    try {
      const server = createServer((socket) => socket.destroy()).listen(path);
      await once(server, "listening");
      server.unref();
      return server;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EADDRINUSE") {
        // Some file systems know no sockets, and a path may be too long for one: that is no reason not to work.
        logger.warn({ reason: code, home }, "the home can't be locked; see to it that no other node has this --home");
        return null;
      }
      if (await isAnswered(path)) throw new Error(`Another node lives in ${home}. Give each node a --home of its own.`);
      await rm(path, { force: true });
    }
  }
  throw new Error(`The home ${home} (--home) can't be locked: another node starts in it at this moment.`);
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
