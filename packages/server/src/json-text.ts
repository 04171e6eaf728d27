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
  const excess = excessOf(text);
  if (excess !== null) return { ok: false, message: excess };
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

/** Why a text is not read, or null. What is not outside of strings does not count: a prompt may say anything. */
function excessOf(text: string): string | null {
  // Most texts have too few of them anywhere; to count them is much faster than to follow them.
  const mayBeDeep = countOf("{", text, JSON_DEPTH_MAX) + countOf("[", text, JSON_DEPTH_MAX) > JSON_DEPTH_MAX;
  if (!mayBeDeep && countOf(",", text, JSON_VALUES_MAX) <= JSON_VALUES_MAX) return null;
  let depth = 0;
  let commas = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === CLOSING_BRACE || code === CLOSING_BRACKET) depth -= 1;
    else if (code === BRACE || code === BRACKET) {
      depth += 1;
      if (depth > JSON_DEPTH_MAX) return `the JSON is nested deeper than ${JSON_DEPTH_MAX}`;
    } else if (code === COMMA) {
      commas += 1;
      if (commas > JSON_VALUES_MAX) return `the JSON has more than ${JSON_VALUES_MAX} values`;
    }
  }
  return null;
}

const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;
const BRACKET = 0x5b;
const CLOSING_BRACE = 0x7d;
const CLOSING_BRACKET = 0x5d;

/** Characters of a string that are looked at one by one before it is searched for its next quote: a search costs as much as some twenty. */
const NEAR = 32;

/** Where the string ends that begins with the quote at `from`: at its closing quote, or at the text's end. */
function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length) {
    for (const near = Math.min(at + NEAR, text.length); at < near; at += 1) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) return at;
      if (code === BACKSLASH) at += 1;
    }
    const quote = text.indexOf('"', at);
    if (quote < 0) break;
    let backslashes = 0;
    while (quote - 1 - backslashes >= at && text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return quote;
    at = quote + 1;
  }
  return text.length;
}

/** How often a character occurs; counted no further than one beyond `enough`. */
function countOf(character: string, text: string, enough: number): number {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0 && count <= enough; at = text.indexOf(character, at + 1)) count += 1;
  return count;
}
