import { PROBLEMS, type ProblemCode } from "@genai/protocol";

/** One field of a request that is wrong. */
export interface FieldError {
  /** Dotted path, such as `pipeline.width`; empty for the whole. */
  readonly field: string;
  readonly message: string;
}

export interface HttpRefusalOptions {
  /** A sentence for this case; the table's own where absent. */
  readonly detail?: string;
  readonly fields?: readonly FieldError[];
  /** Sent as Retry-After, rounded up to whole seconds. */
  readonly retryAfterMs?: number;
  /** The task that it is about, where the caller may know it. */
  readonly taskId?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** A request refused at the edge. Thrown by handlers, turned into v1's or v2's form by the one error handler. */
export class HttpRefusal extends Error {
  readonly code: ProblemCode;
  readonly fields: readonly FieldError[];
  readonly taskId: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, options: HttpRefusalOptions = {}) {
    super(options.detail ?? PROBLEMS[code].title, { cause: options.cause });
    this.name = "HttpRefusal";
    this.code = code;
    this.fields = options.fields ?? [];
    this.taskId = options.taskId ?? null;
    this.headers = {
      ...options.headers,
      ...(options.retryAfterMs === undefined
        ? {}
        : { "Retry-After": String(Math.max(1, Math.ceil(options.retryAfterMs / 1_000))) }),
    };
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }
}

/** Refuses a request for one of its fields; `message` is said of it, as in "must be in the future". */
export function fieldRefusal(
  field: string,
  message: string,
  code: Extract<ProblemCode, "invalid_request" | "upload_not_an_image" | "workflow_not_api_format"> = "invalid_request",
): HttpRefusal {
  return new HttpRefusal(code, { detail: `${field}: ${message}`, fields: [{ field, message }] });
}
