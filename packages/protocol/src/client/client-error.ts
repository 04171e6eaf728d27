import type { Problem } from "../v2/problem.ts";
import type { ProblemCode } from "../v2/problem-codes.ts";

/** The server refused a call. `code` is what to act on. */
export class ApiProblem extends Error {
  readonly problem: Problem;
  /** From `Retry-After`, in milliseconds; null where the server names no time. */
  readonly retryAfterMs: number | null;

  constructor(problem: Problem, retryAfterMs: number | null) {
    super(problem.detail);
    this.name = "ApiProblem";
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }

  get code(): ProblemCode {
    return this.problem.code;
  }
}

/** No answer came: the server is away, or the connection broke off. */
export class ApiUnreachable extends Error {
  readonly origin: string;

  constructor(origin: string, options?: ErrorOptions) {
    super(`the server at ${origin} does not answer`, options);
    this.name = "ApiUnreachable";
    this.origin = origin;
  }
}

/** The head of an answer did not come in time. */
export class ApiTimeout extends Error {
  readonly origin: string;

  constructor(origin: string, timeoutMs: number) {
    super(`the server at ${origin} has not answered within ${timeoutMs / 1_000} s`);
    this.name = "ApiTimeout";
    this.origin = origin;
  }
}

/** An answer that is not as the API describes it: another version, or something between us and the server. */
export class UnexpectedAnswer extends Error {
  readonly status: number;

  constructor(what: string, status: number, options?: ErrorOptions) {
    super(`${what}: the answer (status ${status}) is not as this version of the API describes it`, options);
    this.name = "UnexpectedAnswer";
    this.status = status;
  }
}
