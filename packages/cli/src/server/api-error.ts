import { ApiProblem, ApiTimeout, ApiUnreachable, UnexpectedAnswer } from "@genai/protocol/client";
import { CliError, type EXIT_CODES } from "../cli-error.ts";

const KINDS: Readonly<Record<number, keyof typeof EXIT_CODES>> = {
  400: "usage",
  401: "refused",
  403: "refused",
  404: "notFound",
  413: "usage",
  415: "usage",
  422: "usage",
  429: "refused",
  503: "away",
  504: "timeout",
};

/** What went wrong between us and the server, in a sentence with what to do; null for anything else. */
export function apiError(error: unknown): CliError | null {
  if (error instanceof ApiProblem) {
    const { status, errors, detail } = error.problem;
    const fields = errors?.map(({ field, message }) => `${field} ${message}`).join("; ");
    const advice = status === 401 ? " Give a token with --token or GENAI_TOKEN." : "";
    const reason = (fields || detail).replace(/\.$/, "");
    return new CliError(KINDS[status] ?? "failed", `The server refused it: ${reason}.${advice}`, { cause: error });
  }
  if (error instanceof ApiTimeout) {
    return new CliError("timeout", `The server at ${error.origin} has not answered within a minute.`);
  }
  if (error instanceof ApiUnreachable) {
    const sentence = `The server at ${error.origin} does not answer. Start it, or give its address with --server.`;
    return new CliError("away", sentence, { cause: error });
  }
  if (error instanceof UnexpectedAnswer) {
    const sentence = `The server's answer (status ${error.status}) can't be read; are both of one version?`;
    return new CliError(KINDS[error.status] ?? "failed", sentence, { cause: error });
  }
  return null;
}
