import type { z } from "zod";
import { FIELDS_MAX } from "../field-errors.ts";
import type { FieldError } from "../http-refusal.ts";

/** A longer key is no slip of the pen: nothing near is looked for, and it is named by its beginning. Characters. */
const KEY_CHARS_MAX = 64;

/** Says which keys of a body nobody knows, each with the nearest known one; of many the first ten. */
export function unknownKeyErrors(schema: z.ZodType, error: z.ZodError): readonly FieldError[] {
  const unknown = error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.slice(0, FIELDS_MAX).map((key) => ({ parent: issue.path.map(String).join("."), key }))
      : [],
  );
  if (unknown.length === 0) return [];
  const known = knownPaths(schema);
  return unknown.slice(0, FIELDS_MAX).map(({ parent, key }) => {
    if (key.length > KEY_CHARS_MAX) return { field: `${key.slice(0, KEY_CHARS_MAX)}…`, message: "is not known here" };
    const field = parent === "" ? key : `${parent}.${key}`;
    // A union's other members know it: "did you mean" would name the very key that was refused.
    if (parent !== "" && known.includes(field)) return { field, message: `belongs to another type of ${parent}` };
    const nearest = nearestPath(known, parent, key);
    return {
      field,
      message: nearest === null ? "is not known here" : `is not known here; did you mean ${nearest}?`,
    };
  });
}

/** Beyond this many edits two words have nothing to do with each other. */
const EDITS_MAX = 3;

/** The known path whose last word is nearest; among equals one beside the unknown key wins. */
function nearestPath(known: readonly string[], parent: string, key: string): string | null {
  let best: { readonly path: string; readonly rank: number } | null = null;
  for (const path of known) {
    const at = path.lastIndexOf(".");
    const edits = editDistance(path.slice(at + 1).toLowerCase(), key.toLowerCase().replaceAll(/[-_]/g, ""));
    if (edits > Math.min(EDITS_MAX, key.length / 2)) continue;
    const rank = edits * 2 + (path.slice(0, Math.max(at, 0)) === parent ? 0 : 1);
    if (best === null || rank < best.rank) best = { path, rank };
  }
  return best?.path ?? null;
}

/** Dotted paths of every key that the schema knows, to a bounded depth. */
function knownPaths(schema: z.ZodType, prefix = "", depth = 0): readonly string[] {
  if (depth > 4) return [];
  const definition = schema.def as {
    readonly type: string;
    readonly shape?: Readonly<Record<string, z.ZodType>>;
    readonly options?: readonly z.ZodType[];
    readonly innerType?: z.ZodType;
  };
  if (definition.shape !== undefined) {
    return Object.entries(definition.shape).flatMap(([key, inner]) => [
      `${prefix}${key}`,
      ...knownPaths(inner, `${prefix}${key}.`, depth + 1),
    ]);
  }
  if (definition.options !== undefined) {
    return [...new Set(definition.options.flatMap((option) => knownPaths(option, prefix, depth)))];
  }
  return definition.innerType === undefined ? [] : knownPaths(definition.innerType, prefix, depth);
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const substituted = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(substituted, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
