import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { anchoredClock } from "../store-clock.ts";
import { connect } from "./database-file.ts";
import { Writer } from "./writer.ts";
import type { WriterRequest } from "./writer-protocol.ts";

/** Requests that one transaction takes at most; more would keep the first of them waiting. */
const GROUP_MAX = 256;

/** SQLite looks through every page in its cache at the end of each commit that split one (it numbers the halves by way of a page that
 *  no file has, and then drops what is above the file's end). With 32 MiB that was a seventh of this thread's time. Pages that are not in
 *  it are in the kernel's. */
const CACHE_KIB = 4_096;

/** The thread that writes: `SqliteTaskStore` starts it. Whatever waits when it looks is one transaction, so a slow disk makes larger groups. */
function serve(port: MessagePort, file: string): void {
  const database = connect(file, { cacheKib: CACHE_KIB });
  const writer = new Writer(database, anchoredClock());
  port.on("message", (first: WriterMessage) => {
    const messages = [first];
    while (messages.length < GROUP_MAX) {
      const next = receiveMessageOnPort(port);
      if (!next) break;
      messages.push(next.message as WriterMessage);
    }
    const closing = messages.some((message) => message === "close");
    const requests = messages.filter((message) => message !== "close");
    if (requests.length > 0) {
      port.postMessage(JSON.stringify(writer.run(requests.map((text) => JSON.parse(text) as WriterRequest))));
    }
    if (closing) {
      database.close();
      port.close();
    }
  });
  port.postMessage("ready");
}

/** A request as JSON, or the word `close`. */
export type WriterMessage = string;

if (!parentPort) throw new Error("writer-thread is started by SqliteTaskStore as a worker thread.");
serve(parentPort, (workerData as { readonly file: string }).file);
