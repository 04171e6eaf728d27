import type { Random } from "@genai/protocol/conformance";

/** A number that was measured, and what it may be. */
interface Figure {
  readonly name: string;
  readonly value: number | string;
  /** The bound in words, such as `at most 2000`; empty for a figure that is only shown. */
  readonly bound: string;
}

/** What a trial came to. No violation: what it is about holds. */
export interface TrialResult {
  readonly figures: readonly Figure[];
  /** One sentence each. */
  readonly violations: readonly string[];
  /** Why this machine cannot run it, where that is so. */
  readonly skipped?: string;
}

/** What a trial gets to work with. */
export interface TrialContext<Option extends string = string> {
  /** The trial's own numbers: its defaults, or what the command line said. */
  readonly options: Readonly<Record<Option, number>>;
  readonly store: "sqlite" | "postgres";
  readonly random: Random;
  /** An empty folder of its own; kept where something was violated. */
  readonly folder: string;
  /** A line about how far it is. */
  readonly say: (line: string) => void;
}

/** A trial of the system under faults, run by `npm run chaos -- <name>`, and in a short form by the tests. */
export interface Trial<Option extends string = string> {
  readonly name: string;
  /** What holds, in a sentence. */
  readonly what: string;
  /** The store that it is about, where it is about one. */
  readonly onlyStore?: "sqlite" | "postgres";
  /** Its numbers, each with the default of the long form. */
  readonly options: Readonly<Record<Option, { readonly default: number; readonly what: string }>>;
  run(context: TrialContext<Option>): Promise<TrialResult>;
}
