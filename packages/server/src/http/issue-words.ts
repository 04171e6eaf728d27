import type { z } from "zod";

const TYPES: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  array: "a list",
  null: "null",
};

const FORMATS: Readonly<Record<string, string>> = {
  url: "a URL",
  uuid: "a UUID",
  datetime: "an instant in UTC, such as 2026-01-31T12:00:00Z",
  base64: "base64",
};

/** What is wrong with a part of a request, in words that go behind the part's name. Schemas with words of their own keep them. */
export const issueWords: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return "is missing";
      return `must be ${TYPES[issue.expected] ?? issue.expected}`;
    case "too_small":
      return `must ${limit(issue.origin, "at least", issue.minimum, issue.inclusive)}`;
    case "too_big":
      return `must ${limit(issue.origin, "at most", issue.maximum, issue.inclusive)}`;
    case "not_multiple_of":
      return `must be a multiple of ${issue.divisor}`;
    case "invalid_format":
      return `must be ${FORMATS[issue.format] ?? `of the form ${issue.pattern ?? issue.format}`}`;
    case "invalid_value":
      return issue.input === undefined ? "is missing" : `must be ${oneOf(issue.values.map(String))}`;
    case "invalid_union":
      return Array.isArray(issue.options) ? `must be ${oneOf(issue.options.map(String))}` : "is of no known form";
    default:
      return undefined;
  }
};

function limit(origin: string, bound: string, value: number | bigint, inclusive = true): string {
  switch (origin) {
    case "string":
      return `have ${bound} ${value} ${value === 1 ? "character" : "characters"}`;
    case "array":
    case "set":
    case "map":
      return `have ${bound} ${value} ${value === 1 ? "entry" : "entries"}`;
    default:
      return inclusive ? `be ${bound} ${value}` : `be ${bound === "at least" ? "more" : "less"} than ${value}`;
  }
}

function oneOf(values: readonly string[]): string {
  return values.length === 1 ? String(values[0]) : `one of ${values.join(", ")}`;
}
