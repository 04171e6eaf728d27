import type { DispatcherInput, DispatcherOptions } from "@genai/dispatcher";

/** What was done to a dispatcher: made anew with options, or fed an input. */
export type TraceItem =
  | { readonly options: Partial<DispatcherOptions> }
  | { readonly nowMs: number; readonly input: DispatcherInput };

/** As lines of JSON, as the server records them. */
export function toLines(trace: readonly TraceItem[]): string {
  return trace.map((item) => `${JSON.stringify(item)}\n`).join("");
}
