import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";

/** One server-sent event. */
export interface ReadEvent {
  readonly id: string | null;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** Reads a server-sent event stream by node:http. */
export class EventReader implements AsyncDisposable {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly #request: ClientRequest;
  readonly #response: IncomingMessage;
  readonly #events: ReadEvent[] = [];
  readonly #wakers = new Set<() => void>();
  #text = "";
  #ended = false;

  static async open(url: string, headers: Record<string, string> = {}): Promise<EventReader> {
    return await new Promise((resolve, reject) => {
      const outgoing = request(url, { headers, agent: false }, (incoming) =>
        resolve(new EventReader(outgoing, incoming)),
      );
      outgoing.on("error", reject);
      outgoing.end();
    });
  }

  private constructor(outgoing: ClientRequest, incoming: IncomingMessage) {
    this.#request = outgoing;
    this.#response = incoming;
    this.status = incoming.statusCode ?? 0;
    this.headers = incoming.headers;
    incoming.setEncoding("utf8");
    incoming.on("data", (text: string) => this.#take(text));
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    incoming.on("end", end).on("close", end).on("error", end);
  }

  /** The next event, or null at the end. */
  async next(): Promise<ReadEvent | null> {
    while (this.#events.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => this.#wakers.add(resolve));
    }
    return this.#events.shift() ?? null;
  }

  /** Everything until the end of the stream. */
  async rest(): Promise<readonly ReadEvent[]> {
    const events: ReadEvent[] = [];
    for (let event = await this.next(); event !== null; event = await this.next()) events.push(event);
    return events;
  }

  /** Takes nothing more from the network. */
  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  cut(): void {
    this.#request.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
  }

  #take(text: string): void {
    this.#text += text;
    for (let at = this.#text.indexOf("\n\n"); at >= 0; at = this.#text.indexOf("\n\n")) {
      const event = parse(this.#text.slice(0, at));
      this.#text = this.#text.slice(at + 2);
      if (event !== null) this.#events.push(event);
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
    this.#wakers.clear();
  }
}

function parse(text: string): ReadEvent | null {
  const fields = new Map(
    text
      .split("\n")
      .filter((line) => !line.startsWith(":"))
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  const data = fields.get("data");
  if (data === undefined) return null;
  return { id: fields.get("id") ?? null, event: fields.get("event") ?? "message", data: JSON.parse(data) };
}
