/** What is wrong with one direction of a link. */
export type LinkFault =
  | { readonly type: "none" }
  /** Every byte comes so many milliseconds late, in order. */
  | { readonly type: "delay"; readonly delayMs: number }
  /** Nothing comes through, neither bytes nor the end; what was on its way comes when the fault is over. */
  | { readonly type: "blackHole" }
  /** So many bytes a second, one at a time. */
  | { readonly type: "trickle"; readonly bytesPerSecond: number };

export const NO_FAULT: LinkFault = { type: "none" };
