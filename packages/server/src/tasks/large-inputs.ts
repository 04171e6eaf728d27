import type { Pipeline } from "@genai/protocol";

/** A pipeline of more bytes than this is a large input: it counts against its user's bound, and goes before its task does. */
export const LARGE_INPUT_BYTES = 65_536;

/** What the text of a pipeline takes, in bytes, where it is a large input; else 0. An estimate by its large fields: to write a picture of
 *  megabytes out only to measure it would cost as much as to store it. */
export function largeInputBytes(pipeline: Pipeline): number {
  const bytes =
    pipeline.type === "standard"
      ? pipeline.prompt.length + (pipeline.negativePrompt?.length ?? 0) + lengthOf(pipeline.image)
      : lengthOf(pipeline.workflow) + lengthOf(pipeline.images);
  return bytes > LARGE_INPUT_BYTES ? bytes : 0;
}

/** Characters of a text, of all texts right below an object, or of a graph as JSON. */
function lengthOf(value: string | object | undefined): number {
  if (value === undefined) return 0;
  if (typeof value === "string") return value.length;
  let length = 0;
  for (const inner of Object.values(value))
    length += typeof inner === "string" ? inner.length : (JSON.stringify(inner)?.length ?? 0);
  return length;
}
