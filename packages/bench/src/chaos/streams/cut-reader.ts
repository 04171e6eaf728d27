import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "@genai/protocol/conformance";

/** For a whole stream, in milliseconds. */
const WHOLE_MS_MAX = 60_000;

/** Reads a stream of events in pieces: cuts itself off at random moments and comes back with the last id that it saw. */
export class CutReader {
  /** Its state events so far: id and data. */
  readonly events: string[] = [];
  /** Resolves when it knows where its stream begins. */
  readonly begun: Promise<void>;
  cuts = 0;
  readonly #url: string;
  readonly #random: Random;
  readonly #over = new AbortController();
  #last = "";
  #begin: () => void = () => {};
  #ended: Promise<void> = Promise.resolve();

  constructor(url: string, random: Random) {
    this.#url = url;
    this.#random = random;
    this.begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
  }

  start(): void {
    this.#ended = this.#run();
  }

  stop(): void {
    this.#over.abort();
  }

  get ended(): Promise<void> {
    return this.#ended;
  }

  async #run(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const cut = new AbortController();
      const timer = setTimeout(() => cut.abort(), this.#random.between(5, 600));
      try {
        const finished = await this.#read(AbortSignal.any([cut.signal, this.#over.signal]));
        if (finished) return;
      } catch {
        // By us, or by the server's end: what was lost shows when the events are compared.
        if (cut.signal.aborted) this.cuts += 1;
      } finally {
        clearTimeout(timer);
      }
      await sleep(this.#random.between(0, 50));
    }
  }

  /** True where there is nothing more to come. */
  async #read(signal: AbortSignal): Promise<boolean> {
    const headers = this.#last === "" ? {} : { "last-event-id": this.#last };
    const response = await fetch(this.#url, { headers, signal });
    if (response.status === 204) return true;
    if (!response.ok) {
      await response.body?.cancel();
      return false;
    }
    for await (const { id, type, data } of framesOf(response)) {
      if (id !== "") this.#last = id;
      if (type === "ready") this.#begin();
      if (type === "state") this.events.push(`${id} ${data}`);
    }
    return false;
  }
}

/** The state events of a stream that is not cut, until its end or until there are `count`. */
export async function readWhole(url: string, lastEventId: string, count = Number.POSITIVE_INFINITY): Promise<string[]> {
  const headers = lastEventId === "" ? {} : { "last-event-id": lastEventId };
  const done = new AbortController();
  const response = await fetch(url, {
    headers,
    signal: AbortSignal.any([done.signal, AbortSignal.timeout(WHOLE_MS_MAX)]),
  });
  const events: string[] = [];
  for await (const { id, type, data } of framesOf(response)) {
    if (type === "state") events.push(`${id} ${data}`);
    if (events.length >= count) break;
  }
  done.abort();
  return events;
}

interface Frame {
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

/** Whole frames alone: half a frame before a cut is nothing. */
async function* framesOf(response: Response): AsyncGenerator<Frame> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      yield frameOf(text.slice(0, end));
      text = text.slice(end + 2);
    }
  }
}

function frameOf(text: string): Frame {
  const fields = new Map(
    text
      .split("\n")
      .filter((line) => !line.startsWith(":"))
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  return { id: fields.get("id") ?? "", type: fields.get("event") ?? "", data: fields.get("data") ?? "" };
}
