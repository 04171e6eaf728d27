/** What every bench is asked with. */
export interface BenchOptions {
  /** Size of its load; each bench has its own default, which is that of the number to hold. */
  readonly tasks?: number;
  /** How often what is compared is measured, in turn. */
  readonly rounds: number;
  /** `nodes`: how many. */
  readonly nodes?: number;
  /** `nodes`: how long the idle fleet is watched, in milliseconds. */
  readonly watchedMs?: number;
  /** `roundtrip`: only systems whose name holds this text. */
  readonly only: string;
  /** `roundtrip`, `pictures`: folder for CPU profiles of our server, or null. */
  readonly profile: string | null;
  /** File for the findings as JSON, or null. */
  readonly json: string | null;
  /** `dispatcher`: file for the curve over the ratio as an SVG, or null. */
  readonly curve: string | null;
}
