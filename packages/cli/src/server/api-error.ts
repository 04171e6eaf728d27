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
    const advice =
      status === 401 ? " Give a token with --token or GENAI_TOKEN, or set GENAI_HOME to the server's folder." : "";
    const reason = (fields || detail).replace(/\.$/, "");
    return new CliError(KINDS[status] ?? "failed", `The server refused it: ${reason}.${advice}`, { cause: error });
  }
  if (error instanceof ApiTimeout) {
    return new CliError("timeout", `The server at ${error.origin} has not answered within a minute.`);
  }
  if (error instanceof ApiUnreachable) {
    return new CliError("away", unreachable(error), { cause: error });
  }
  if (error instanceof UnexpectedAnswer) {
    const sentence = `The server's answer (status ${error.status}) can't be read; are both of one version?`;
    return new CliError(KINDS[error.status] ?? "failed", sentence, { cause: error });
  }
  return null;
}

/** Nobody listens there, or no packet arrives. */
const NOBODY: ReadonlySet<string> = new Set([
  ...["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "UND_ERR_CONNECT_TIMEOUT"],
]);

function unreachable({ origin, cause }: ApiUnreachable): string {
  const code = codeOf(cause);
  if (code === null || NOBODY.has(code))
    return `The server at ${origin} does not answer. Start it, or give its address with --server.`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return `There is no host of the name in ${origin} (${code}). Give the server's address with --server.`;
  return `What listens at ${origin} does not answer as the server does (${code}). Check --server: http or https, and the port.`;
}

/** The system's or the HTTP client's own code, which `fetch` wraps. */
function codeOf(error: unknown): string | null {
  for (let each = error; typeof each === "object" && each !== null; each = (each as { cause?: unknown }).cause) {
    const { code } = each as { code?: unknown };
    if (typeof code === "string") return code;
  }
  return null;
}
