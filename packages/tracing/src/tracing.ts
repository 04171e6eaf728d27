/** Small facts about a span: ids, counts, outcomes. Never a prompt, a token, a URL with a signature in it, or other words of a user's. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** Something that takes time, in a trace. */
export interface Span {
  /** What the next part of the way continues from, in the form of W3C's `traceparent` header; null where nothing is traced. */
  readonly traceparent: string | null;
  /** Ends it, now. `failure`: a code or a short sentence where it did not go well. Ending it again changes nothing. */
  end(outcome?: { readonly attributes?: Attributes; readonly failure?: string | null; readonly name?: string }): void;
}

/** What a span begins with. */
export interface SpanStart {
  /** `traceparent` of what it belongs to. Without one, or with one that can't be read, a new trace begins. */
  readonly parent?: string | null | undefined;
  /** `server` and `consumer` take work from another process, `client` asks one. Default `internal`. */
  readonly kind?: "internal" | "server" | "client" | "consumer";
  readonly attributes?: Attributes;
  /** Wall clock, in milliseconds, where it began earlier than now. */
  readonly startedAtMs?: number;
}

/** Where spans go. */
export interface Tracing {
  /** False where every span is nothing, so that nobody has to prepare one. */
  readonly isOn: boolean;
  start(name: string, start: SpanStart): Span;
  /** Sends what has ended and was not sent yet; gives up after two seconds. Never rejects. */
  close(): Promise<void>;
}

/** What a program says of itself to be traced. */
export interface TracingOptions {
  /** Name of the program in the traces, where `OTEL_SERVICE_NAME` gives no other. */
  readonly serviceName: string;
  readonly version: string;
  /** Told what went wrong with sending, at most once a minute. */
  readonly onFailure: (reason: string) => void;
}

/** A span that nobody records. */
export const NO_SPAN: Span = { traceparent: null, end() {} };

/** Records nothing and costs nothing. */
export const NO_TRACING: Tracing = { isOn: false, start: () => NO_SPAN, close: () => Promise.resolve() };
