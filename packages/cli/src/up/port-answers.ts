import { once } from "node:events";
import { Socket } from "node:net";

/** Whether somebody listens on a port of this machine. */
export async function portAnswers(port: number): Promise<boolean> {
  const socket = new Socket();
  try {
    socket.connect(port, "127.0.0.1");
    await once(socket, "connect");
    return true;
  } catch {
    // Also a number that is no port: the server says what it may be.
    return false;
  } finally {
    socket.destroy();
  }
}
