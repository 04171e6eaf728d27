/** Deepest nesting that is read; deeper text is refused before anything recursive meets it. */
const JSON_DEPTH_MAX = 100;

/** Most values that are read, keys not counted: ten times the largest graphs. What is behind the reader looks at each of them. */
const JSON_VALUES_MAX = 100_000;

export type JsonReading =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

const MIGHT_NAME_PROTO = /__proto__|\\u005f/i;

/** Reads JSON that a stranger wrote: bounded in depth and in the number of its values, without `__proto__` keys. An empty text is no value. */
export function readJson(text: string): JsonReading {
  if (isTooDeep(text)) return { ok: false, message: `the JSON is nested deeper than ${JSON_DEPTH_MAX}` };
  if (hasTooManyValues(text)) return { ok: false, message: `the JSON has more than ${JSON_VALUES_MAX} values` };
  try {
    return {
      ok: true,
      value: MIGHT_NAME_PROTO.test(text)
        ? JSON.parse(text, (key, value) => (key === "__proto__" ? undefined : value))
        : JSON.parse(text),
    };
  } catch (error) {
    return {
      ok: false,
      message: `the body is no JSON: ${error instanceof Error ? shorten(error.message) : "unreadable"}`,
    };
  }
}

/** The parser quotes what it stumbled on; a token or a prompt in it must not travel far. */
function shorten(message: string): string {
  const position = /position (\d+)/.exec(message);
  return position === null ? "it ends too early or is malformed" : `unexpected text at position ${position[1]}`;
}

const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** True where more than {@link JSON_DEPTH_MAX} brackets are open at once outside of strings. */
function isTooDeep(text: string): boolean {
  // Most texts have too few of them anywhere; to count them is much faster than to follow them.
  if (countOf("{", text, JSON_DEPTH_MAX) + countOf("[", text, JSON_DEPTH_MAX) <= JSON_DEPTH_MAX) return false;
  let depth = 0;
  return someOutsideStrings(text, (code) => {
    if (code === 0x7b || code === 0x5b) depth += 1;
    else if (code === 0x7d || code === 0x5d) depth -= 1;
    return depth > JSON_DEPTH_MAX;
  });
}

/** True where more than {@link JSON_VALUES_MAX} commas stand outside of strings. */
function hasTooManyValues(text: string): boolean {
  if (countOf(",", text, JSON_VALUES_MAX) <= JSON_VALUES_MAX) return false;
  let count = 0;
  return someOutsideStrings(text, (code) => {
    if (code === COMMA) count += 1;
    return count > JSON_VALUES_MAX;
  });
}

/** Shows every character outside of strings, up to the first for which `isFound` holds; true where there is one. */
function someOutsideStrings(text: string, isFound: (code: number) => boolean): boolean {
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === BACKSLASH) at += 1;
      else if (code === QUOTE) inString = false;
    } else if (code === QUOTE) inString = true;
    else if (isFound(code)) return true;
  }
  return false;
}

/** How often a character occurs; counted no further than one beyond `enough`. */
function countOf(character: string, text: string, enough: number): number {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0 && count <= enough; at = text.indexOf(character, at + 1)) count += 1;
  return count;
}
