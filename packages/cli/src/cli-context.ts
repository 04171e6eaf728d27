/** The world that a command runs in, so that a test can give it another. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What was asked for, and nothing else: ids, tables, JSON. */
  readonly stdout: Output;
  /** Progress and complaints. */
  readonly stderr: Output;
  /** How this program was called, to be printed in advice: `genai-cli`, or node with a path. */
  readonly invocation: string;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
