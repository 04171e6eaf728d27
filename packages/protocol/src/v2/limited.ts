import { z } from "zod";

/** What an object of a stranger's may hold. */
export interface EntryLimits {
  readonly entriesMax: number;
  readonly keyCharsMax: number;
}

/** `schema` for objects within limits. Others are refused before their entries are looked at one by one: a body of a hundred thousand
 *  wrong ones would keep the looker busy for seconds, and the answer names ten at most. */
export function limited<Schema extends z.ZodType>(schema: Schema, { entriesMax, keyCharsMax }: EntryLimits) {
  return z.preprocess((value, context) => {
    if (typeof value !== "object" || value === null) return value;
    const keys = Object.keys(value);
    if (keys.length > entriesMax) context.addIssue(`must have at most ${entriesMax} entries`);
    else if (keys.some((key) => key.length > keyCharsMax))
      context.addIssue(`must have keys of at most ${keyCharsMax} characters`);
    return value;
  }, schema);
}
