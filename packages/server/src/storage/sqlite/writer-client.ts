import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { type ChangeOutcome, type StoreChange, StoreUnavailable } from "../../tasks/task-store.ts";
import { changeOutcome } from "../applied-change.ts";
import type { WriterCall, WriterCalls, WriterReply } from "./writer-protocol.ts";
import type { WriterMessage } from "./writer-thread.ts";

/** A disk that has not answered for this long is treated as away: new writes are refused at once, so that a caller hears of it
 *  within two seconds, and what was asked before may still succeed. */
const STALLED_MS = 1_500;

/** Characters of requests that may wait for the disk. */
const WAITING_CHARS_MAX = 256 * 1024 * 1024;

interface Waiting {
  readonly sentAtMs: number;
  readonly chars: number;
  readonly resolve: (reply: WriterCalls[WriterCall]["reply"]) => void;
  readonly reject: (error: Error) => void;
}

/** This side of the writer's thread. Statements and fsync cost the main thread nothing but turning a request into text: with
 *  the writer in the main thread a round trip over the whole server was a third slower. */
export class WriterClient {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  readonly #exited: Promise<void>;
  #waitingChars = 0;
  #answeredAtMs = 0;
  /** Commits that are known to have failed in the thread. */
  #failures = 0;
  #ended: StoreUnavailable | null = null;
  #isClosing = false;

  private constructor(worker: Worker) {
    this.#worker = worker;
    this.#exited = new Promise((resolve) => worker.once("exit", () => resolve()));
    worker.on("message", (text: string) => this.#answered(JSON.parse(text) as readonly WriterReply[]));
    worker.once("error", (error) => this.#broke(error));
    worker.once("exit", (code) => {
      if (!this.#isClosing) this.#broke(new Error(`The store's writer ended with code ${code}.`));
      this.#end(new StoreUnavailable("The store is closed.", "unknown"));
    });
  }

  static async start(file: string): Promise<WriterClient> {
    const worker = new Worker(new URL(`./writer-thread${extname(import.meta.url)}`, import.meta.url), {
      workerData: { file },
    });
    await new Promise<void>((resolve, reject) => {
      worker.once("message", () => resolve());
      worker.once("error", reject);
    });
    worker.removeAllListeners("error");
    return new WriterClient(worker);
  }

  /** Commits in the order of the calls; none is written behind one whose failure was not known yet. */
  async commit(changes: readonly StoreChange[]): Promise<readonly ChangeOutcome[]> {
    const applied = await this.call("commit", { changes, failures: this.#failures });
    return changes.map((change, index) => changeOutcome(change, applied[index] ?? null));
  }

  call<Call extends WriterCall>(
    call: Call,
    request: WriterCalls[Call]["request"],
  ): Promise<WriterCalls[Call]["reply"]> {
    const refusal = this.#refusal();
    if (refusal) return Promise.reject(refusal);
    const message: WriterMessage = JSON.stringify({ call, request });
    return new Promise((resolve, reject) => {
      const sent = {
        sentAtMs: performance.now(),
        chars: message.length,
        resolve: resolve as Waiting["resolve"],
        reject,
      };
      this.#waiting.push(sent);
      this.#waitingChars += message.length;
      this.#worker.postMessage(message);
    });
  }

  /** Writes what was asked for so far, then ends the thread. */
  async close(): Promise<void> {
    this.#isClosing = true;
    if (!this.#ended) this.#worker.postMessage("close" satisfies WriterMessage);
    await this.#exited;
  }

  #answered(replies: readonly WriterReply[]): void {
    this.#answeredAtMs = performance.now();
    const answered = this.#waiting.splice(0, replies.length);
    for (const [index, reply] of replies.entries()) {
      const { resolve, reject, chars } = answered[index] as Waiting;
      this.#waitingChars -= chars;
      if (reply.ok) {
        resolve(reply.reply);
        continue;
      }
      this.#failures = reply.failures;
      reject(new StoreUnavailable(`The store cannot be written: ${reply.message}.`, reply.outcome));
    }
  }

  #refusal(): StoreUnavailable | null {
    if (this.#ended) return this.#ended;
    const oldest = this.#waiting[0];
    const waitedMs = oldest ? performance.now() - Math.max(oldest.sentAtMs, this.#answeredAtMs) : 0;
    if (waitedMs > STALLED_MS) {
      return new StoreUnavailable(`The disk has not answered for ${Math.round(waitedMs)} ms.`, "rolled_back");
    }
    if (this.#waitingChars > WAITING_CHARS_MAX) {
      return new StoreUnavailable(`${this.#waitingChars} characters wait to be written.`, "rolled_back");
    }
    return null;
  }

  /** The thread ended that nobody asked to, for want of memory or by a bug. Ends the process: a start takes up what it had claimed, which
   *  nobody was told of, and without a writer everything would be refused until then. */
  #broke(cause: unknown): never {
    this.#end(new StoreUnavailable("The store's writer broke off.", "unknown", { cause }));
    throw cause;
  }

  #end(error: StoreUnavailable): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
  }
}
