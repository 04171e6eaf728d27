/** Exit codes, for scripts. */
export const exitCodes = {
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

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What ends a command: one sentence that says what is wrong and what to do, and the exit code. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  readonly #kind: keyof typeof exitCodes;

  constructor(kind: keyof typeof exitCodes, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.name = "CliError";
    this.exitCode = exitCodes[kind];
    this.#kind = kind;
  }

  /** The same with one sentence more. */
  with(sentence: string): CliError {
    return new CliError(this.#kind, `${this.message} ${sentence}`, { cause: this.cause ?? this });
  }
}
