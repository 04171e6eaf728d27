import type { Dispatcher } from "@genai/dispatcher";
import type { Logger } from "pino";
import { z } from "zod";
import { StoreUnavailable, type TaskStore } from "../tasks/task-store.ts";

/** Name of the document in the store. */
const DOCUMENT = "estimates";
/** Between two writings while the server runs, in milliseconds: what a crash forgets is learned again within minutes. */
const KEEP_MS = 300_000;
/** Characters that a document may have. 10,000 profiles on a few kinds of GPU need about four million. */
const CHARS_MAX = 16 * 1024 * 1024;

const speed = {
  gpuType: z.string().nullable(),
  engine: z.string().nullable(),
  count: z.number(),
  mean: z.number(),
  spread: z.number(),
};

/** What was written by this program, another version of it, or somebody's hand. */
const EstimatesDocument = z.object({
  version: z.literal(1),
  runs: z.array(z.object({ model: z.string(), signature: z.string(), ...speed })),
  loads: z.array(z.object({ model: z.string(), ...speed })),
});

/** Keeps over a restart what the dispatcher has learned of how long work takes. Nothing hangs on it but better first choices, so
 *  where it cannot be read or written the server goes on without. */
export class EstimatesKeeper {
  readonly #store: Pick<TaskStore, "readDocument" | "writeDocument">;
  readonly #dispatcher: Pick<Dispatcher, "exportEstimates" | "importEstimates">;
  readonly #logger: Logger;
  #kept = "";
  #timer: NodeJS.Timeout | null = null;

  constructor(
    store: Pick<TaskStore, "readDocument" | "writeDocument">,
    dispatcher: Pick<Dispatcher, "exportEstimates" | "importEstimates">,
    logger: Logger,
  ) {
    this.#store = store;
    this.#dispatcher = dispatcher;
    this.#logger = logger;
  }

  /** Hands the dispatcher what was kept, and keeps it from now on. Call before the first task. */
  async open(): Promise<void> {
    const text = await this.#store.readDocument(DOCUMENT);
    if (text !== null) this.#take(text);
    this.#timer = setInterval(() => void this.keep(), KEEP_MS);
    this.#timer.unref();
  }

  /** Writes down what is known by now, where that is something new. */
  async keep(): Promise<void> {
    const text = JSON.stringify(this.#dispatcher.exportEstimates());
    if (text === this.#kept || text.length > CHARS_MAX) return;
    try {
      await this.#store.writeDocument(DOCUMENT, text);
      this.#kept = text;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      this.#logger.warn({ err: error }, "the estimates were not written down");
    }
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #take(text: string): void {
    const parsed = EstimatesDocument.safeParse(jsonOf(text));
    if (parsed.success) {
      this.#dispatcher.importEstimates(parsed.data);
      this.#kept = JSON.stringify(this.#dispatcher.exportEstimates());
    } else this.#logger.warn("the estimates that were kept are of another form; they are learned anew");
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Told as a wrong form.
    return null;
  }
}
