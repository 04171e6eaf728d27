import { PROBLEMS, type Problem } from "@genai/protocol";
import type { HttpRefusal } from "../http-refusal.ts";

/** A refusal as an RFC 9457 problem document. */
export function problemOf(refusal: HttpRefusal, requestId: string): Problem {
  return {
    type: `/docs/problems#${refusal.code}`,
    title: PROBLEMS[refusal.code].title,
    status: refusal.status,
    code: refusal.code,
    detail: refusal.message,
    requestId,
    ...(refusal.fields.length === 0 ? {} : { errors: [...refusal.fields] }),
    ...(refusal.taskId === null ? {} : { taskId: refusal.taskId }),
  };
}
