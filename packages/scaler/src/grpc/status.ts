import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { ScalerError, type ScalerErrorCode } from "../core/scaler-error.ts";

const STATUS_OF: Readonly<Record<ScalerErrorCode, status>> = {
  invalid: status.INVALID_ARGUMENT,
  unauthenticated: status.UNAUTHENTICATED,
  image_not_allowed: status.PERMISSION_DENIED,
  not_found: status.NOT_FOUND,
  foreign: status.NOT_FOUND,
  key_reused: status.ALREADY_EXISTS,
  over_cap: status.RESOURCE_EXHAUSTED,
  platform_full: status.RESOURCE_EXHAUSTED,
  offer_gone: status.NOT_FOUND,
  platform_refused: status.FAILED_PRECONDITION,
  platform_away: status.UNAVAILABLE,
  timeout: status.DEADLINE_EXCEEDED,
  canceled: status.CANCELLED,
};

/** What goes over the wire for an error: its code and sentence. Anything that is no ScalerError is a bug of ours, told without details. */
export function toServiceError(error: unknown): ServiceError {
  const known = error instanceof ScalerError;
  const details = known ? error.message : "The scaler met an error of its own; its log has more.";
  const code = known ? STATUS_OF[error.code] : status.INTERNAL;
  return Object.assign(new Error(details), { code, details, metadata: new Metadata() });
}
