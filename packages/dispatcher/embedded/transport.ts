import type { AbortReason } from "@genai/dispatcher";

/** One attempt of a task, as a transport carries it to a provider. */
export interface Assignment<Payload> {
  readonly taskId: string;
  /** From 1, within the task. */
  readonly attempt: number;
  readonly providerId: string;
  readonly payload: Payload;
  /** The price at which it was given, in credits. */
  readonly cost: number;
  /** After this many milliseconds it is aborted and counts as the provider's fault. */
  readonly limitMs: number;
  /** Tells how far it is, 0 to 1. */
  readonly progress: (value: number) => void;
}

/** How tasks reach providers. The caller writes one for what it has: HTTP, a queue, worker threads. */
export interface Transport<Payload, Result> {
  /** Runs a task on a provider and resolves with its result. Rejects with a `TaskFault` where the task itself is at fault, with `Declined`
   *  where the provider hands it back; any other error is the provider's fault, and the task is tried elsewhere. */
  send(assignment: Assignment<Payload>): Promise<Result>;
  /** Asks for an attempt to be stopped. Its `send` should settle soon; the outcome no longer matters. */
  abort(assignment: Assignment<Payload>, reason: AbortReason): void;
}
