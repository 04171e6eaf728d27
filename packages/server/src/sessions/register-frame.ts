import { RegisterFrame, V1RegisterFrame } from "@genai/protocol";
import { typeOf } from "./parse-json.ts";

/** What a frame says that comes before a socket has registered. */
export type Introduction =
  | { readonly type: "legacy"; readonly frame: V1RegisterFrame }
  | { readonly type: "protocol2"; readonly frame: RegisterFrame }
  /** The socket is to be closed. */
  | { readonly type: "refused"; readonly reason: string }
  /** To be counted and ignored. */
  | { readonly type: "bad"; readonly reason: string };

export function readIntroduction(message: unknown): Introduction {
  const type = typeOf(message);
  if (type !== "register") return { type: "bad", reason: `a ${type ?? "frame without type"} before register` };
  const { protocol, metadata } = message as { protocol?: unknown; metadata?: unknown };
  if (protocol === undefined || protocol === null || protocol === 1) {
    if (metadata === undefined || metadata === null) return { type: "refused", reason: "register without metadata" };
    const parsed = V1RegisterFrame.safeParse(message);
    return parsed.success ? { type: "legacy", frame: parsed.data } : { type: "bad", reason: firstIssue(parsed.error) };
  }
  if (protocol !== 2) return { type: "refused", reason: "protocols 1 and 2 are spoken here" };
  const parsed = RegisterFrame.safeParse(message);
  return parsed.success
    ? { type: "protocol2", frame: parsed.data }
    : { type: "refused", reason: `register: ${firstIssue(parsed.error)}` };
}

function firstIssue(error: { readonly issues: readonly { path: PropertyKey[]; message: string }[] }): string {
  const [issue] = error.issues;
  return issue === undefined ? "unreadable" : `${issue.path.join(".")} ${issue.message}`;
}
