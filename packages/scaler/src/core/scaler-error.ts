/** Everything that a caller can be told, one row each; `grpc/status.ts` maps the codes to gRPC's own. */
const SCALER_ERROR_CODES = {
  invalid: "the request is wrong; its sentence names the field",
  unauthenticated: "no credential, or a wrong one",
  image_not_allowed: "the image is outside the allow-list",
  not_found: "no such node, image or offer",
  foreign: "the id belongs to something that this scaler did not make",
  key_reused: "the idempotency key was used with other parameters",
  over_cap: "a cap on nodes or on price would be passed",
  platform_full: "the platform has no room left: disk, quota or credit",
  offer_gone: "what was to be rented is gone or did not start; another offer may do",
  platform_refused: "the platform won't do it, and asking again won't help",
  platform_away: "the platform does not answer; try again",
  timeout: "it took longer than allowed and was undone",
  canceled: "the caller went away and what was begun was undone",
} as const;

export type ScalerErrorCode = keyof typeof SCALER_ERROR_CODES;

/** What the caller is told: a code from {@link SCALER_ERROR_CODES} and one sentence that names the thing and its value. */
export class ScalerError extends Error {
  readonly code: ScalerErrorCode;

  constructor(code: ScalerErrorCode, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.name = "ScalerError";
    this.code = code;
  }
}
