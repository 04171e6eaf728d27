import type { z } from "zod";
import type { FieldError } from "./http-refusal.ts";

/** Most wrong fields that one answer names. */
export const FIELDS_MAX = 10;

/** The wrong fields of a body, by their dotted paths. Unknown keys are told apart, by `unknownKeyErrors`. */
export function fieldErrors(error: z.ZodError): readonly FieldError[] {
  const issues = error.issues.filter((issue) => issue.code !== "unrecognized_keys");
  return issues.slice(0, FIELDS_MAX).map((issue) => ({
    field: issue.path.map(String).join("."),
    message: issue.message,
  }));
}

/** The wrong fields in one sentence. */
export function fieldSentence(fields: readonly FieldError[]): string {
  return fields.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`)).join("; ");
}
