import { scalerService } from "@genai/protocol/scaler";
import { type ServiceError, status } from "@grpc/grpc-js";
import type { MethodDefinition } from "@grpc/proto-loader";
import { CliError, type EXIT_CODES } from "../cli-error.ts";
import type { ScalerConnection } from "./connect-scaler.ts";

/** Longest wait for an answer that the scaler has at hand. */
const ANSWER_MS = 30_000;

type Calls = typeof scalerService;
type RequestOf<M extends keyof Calls> =
  Calls[M] extends MethodDefinition<infer Q, infer _A, infer _QO, infer _AO> ? Q : never;
type AnswerOf<M extends keyof Calls> =
  Calls[M] extends MethodDefinition<infer _Q, infer _A, infer _QO, infer AO> ? AO : never;

/** One call with one answer. `limitMs`: longest wait, default 30 s. Ctrl-C ends the wait. */
export function callScaler<M extends "DeleteNode" | "GetNode" | "ListNodes" | "ListOffers" | "PlanCreate">(
  { client, metadata, address, signal }: ScalerConnection,
  method: M,
  request: RequestOf<M>,
  limitMs = ANSWER_MS,
): Promise<AnswerOf<M>> {
  const { path, requestSerialize, responseDeserialize } = scalerService[method] as unknown as MethodDefinition<
    RequestOf<M>,
    unknown,
    unknown,
    AnswerOf<M>
  >;
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + limitMs };
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      options,
      (error, answer) => {
        signal.removeEventListener("abort", cancel);
        if (error) reject(scalerError(error, address));
        else if (answer !== undefined) resolve(answer);
      },
    );
    const cancel = () => call.cancel();
    signal.addEventListener("abort", cancel);
    if (signal.aborted) cancel();
  });
}

const KINDS: Partial<Record<status, keyof typeof EXIT_CODES>> = {
  [status.INVALID_ARGUMENT]: "usage",
  [status.NOT_FOUND]: "notFound",
  [status.UNAUTHENTICATED]: "refused",
  [status.PERMISSION_DENIED]: "refused",
  [status.RESOURCE_EXHAUSTED]: "refused",
  [status.ALREADY_EXISTS]: "refused",
  [status.UNAVAILABLE]: "away",
  [status.DEADLINE_EXCEEDED]: "timeout",
};

/** A call's error as a sentence and an exit code. */
export function scalerError(error: unknown, address: string): CliError {
  if (error instanceof CliError) return error;
  const { code, details } = error as ServiceError;
  // Without an answer of the scaler itself the words are the library's.
  if (code === status.UNAVAILABLE && /^(?:No connection|14 |Connection|Name resolution)/.test(details ?? "")) {
    return new CliError(
      "away",
      `The scaler at ${address} does not answer. Start it, or give its address with --scaler.`,
    );
  }
  if (code === status.DEADLINE_EXCEEDED && /^Deadline exceeded/.test(details ?? "")) {
    return new CliError("timeout", `The scaler at ${address} has not answered in time. Try again.`);
  }
  // By Ctrl-C alone: nobody else cancels our calls.
  if (code === status.CANCELLED) return new CliError("interrupted", "Stopped waiting for the scaler.");
  if (code === status.UNAUTHENTICATED) {
    return new CliError("refused", `${details} Give it with --scaler-token or SCALER_TOKEN.`);
  }
  return new CliError(KINDS[code] ?? "failed", details || String(error));
}
