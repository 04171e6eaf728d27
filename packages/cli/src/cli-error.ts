/** Exit codes, for scripts. */
export const EXIT_CODES = {
  done: 0,
  /** It was tried, and it failed: a task failed, a node did not start. */
  failed: 1,
  /** The command itself is wrong; nothing was tried. */
  usage: 2,
  /** No such node, task, image or offer. */
  notFound: 3,
  /** Not allowed: no token, a wrong one, an image off the list, a cap. */
  refused: 4,
  /** The scaler or the server does not answer. Try again later. */
  away: 5,
  /** It took longer than it was given. */
  timeout: 6,
  /** Ended by Ctrl-C. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/** What ends a command: one sentence that says what is wrong and what to do, and the exit code. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  readonly #kind: keyof typeof EXIT_CODES;

  constructor(kind: keyof typeof EXIT_CODES, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.name = "CliError";
    this.exitCode = EXIT_CODES[kind];
    this.#kind = kind;
  }

  /** The same with one sentence more. */
  with(sentence: string): CliError {
    return new CliError(this.#kind, `${this.message} ${sentence}`, { cause: this.cause ?? this });
  }
}
