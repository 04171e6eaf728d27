/** How a node of a trial works, and who hears of it. */
export interface Work {
  /** How long the next task takes, in milliseconds. */
  durationMs(): number;
  /** How long until the next try to connect, in milliseconds. */
  pauseMs(): number;
  /** A task frame came. */
  given(attemptId: string): void;
}
