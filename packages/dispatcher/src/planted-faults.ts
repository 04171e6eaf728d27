/** Mistakes that can be planted into the core, so that tests show that the invariants would catch them. Each is consulted at one
 *  place; outside of tests none is ever set. */
export const PLANTED_FAULTS = [
  /** The slot of an attempt whose lease ended stays taken for ever. */
  "slotKeptAtLeaseEnd",
  /** A result of a closed attempt settles its task. */
  "closedResultAccepted",
  /** A result is taken from any provider, not only from the one that was given the attempt. */
  "holderUnchecked",
  /** The charge of a lost attempt is not given back. */
  "refundForgotten",
  /** When one of two attempts wins, the other is not aborted. */
  "loserNotAborted",
  /** A free slot takes the task of the user with the greatest tag. */
  "fairnessReversed",
  /** Where warm models may go first, however much their users were charged with before. */
  "warmTurnsUnbounded",
  /** A draining provider is still given tasks. */
  "drainIgnored",
  /** A task goes to providers that ask more than it may pay. */
  "maxCostIgnored",
  /** A held task is never woken. */
  "wakeForgotten",
  /** A provider that failed a task is given it again though others have not. */
  "failedProviderReused",
  /** A provider is sent one attempt more than it has slots. */
  "slotOverfilled",
  /** Losses are not counted, so a task may be lost for ever. */
  "lossesUncounted",
  /** A resting provider is given work. */
  "restIgnored",
  /** What a lost task waits for is forgotten: it never stands in the queue again. */
  "graceForgotten",
  /** What is left of a backoff is told with the fraction of the clock. */
  "fractionTold",
] as const;

/** One of them. */
export type PlantedFault = (typeof PLANTED_FAULTS)[number];
