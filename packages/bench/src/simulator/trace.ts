import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { DispatcherInput, DispatcherOptions, StepResult } from "@genai/dispatcher";
import { z } from "zod";

/** What was done to a dispatcher: made anew with options, or fed an input; and what came of that. */
export type TraceItem =
  | { readonly options: Partial<DispatcherOptions> }
  | { readonly nowMs: number; readonly input: DispatcherInput }
  | { readonly result: StepResult };

/** As lines of JSON, as the server records them. */
export function toLines(trace: readonly TraceItem[]): string {
  return trace.map((item) => `${JSON.stringify(item)}\n`).join("");
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;
const Line = z.union([
  z.object({ options: z.custom<Partial<DispatcherOptions>>(isObject) }),
  z.object({
    nowMs: z.number(),
    input: z.custom<DispatcherInput>((value) => z.looseObject({ type: z.string() }).safeParse(value).success),
  }),
  z.object({ result: z.custom<StepResult>(isObject) }),
  z.object({ dropped: z.number() }),
]);

/** Reads a trace line by line, as large as it may be. A trace that lost lines can't be replayed from there on: it ends with an error. */
export async function* readTrace(path: string): AsyncGenerator<TraceItem> {
  let number = 0;
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    number += 1;
    if (text === "") continue;
    const line = Line.parse(JSON.parse(text));
    if ("dropped" in line) throw new Error(`Line ${number} of ${path} says that ${line.dropped} lines are missing.`);
    yield line;
  }
}
