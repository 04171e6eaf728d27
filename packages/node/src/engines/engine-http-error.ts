/** `unreachable`: no answer, or it broke off. `wrong`: an answer that it should not give. `too-large`: more bytes than are taken. */
type EngineHttpErrorKind = "unreachable" | "wrong" | "too-large";

/** The engine could not be reached, or answered what it should not. */
export class EngineHttpError extends Error {
  readonly kind: EngineHttpErrorKind;

  constructor(message: string, kind: EngineHttpErrorKind, options?: ErrorOptions) {
    super(message, options);
    this.name = "EngineHttpError";
    this.kind = kind;
  }

  /** Whether nobody listens on the engine's port: its process is gone, not busy. */
  get isRefused(): boolean {
    return this.cause instanceof Error && "code" in this.cause && this.cause.code === "ECONNREFUSED";
  }
}
