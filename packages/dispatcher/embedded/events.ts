/** What listeners hear, by the name of the event. */
export interface DispatchEvents {
  readonly sent: {
    readonly taskId: string;
    readonly attempt: number;
    readonly providerId: string;
    readonly cost: number;
  };
  readonly progress: { readonly taskId: string; readonly attempt: number; readonly value: number };
  /** It waits again, because an attempt was lost, failed, or was handed back. */
  readonly requeued: { readonly taskId: string; readonly reason: "lost" | "fault" | "rejected" | "aborted" };
  /** The end of a task, told before its promise settles. */
  readonly settled: {
    readonly taskId: string;
    readonly state: "succeeded" | "failed" | "canceled";
    /** Why it failed, in stable words; null where it did not. */
    readonly code: string | null;
  };
}

type Listener<Name extends keyof DispatchEvents> = (event: DispatchEvents[Name]) => void;

/** Listeners by event. */
export class Listeners {
  readonly #of: { readonly [Name in keyof DispatchEvents]: Set<Listener<Name>> } = {
    sent: new Set(),
    progress: new Set(),
    requeued: new Set(),
    settled: new Set(),
  };

  /** Returns how to stop listening. */
  add<Name extends keyof DispatchEvents>(name: Name, listener: Listener<Name>): () => void {
    const listeners: Set<Listener<Name>> = this.#of[name];
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  tell<Name extends keyof DispatchEvents>(name: Name, event: DispatchEvents[Name]): void {
    const listeners: Set<Listener<Name>> = this.#of[name];
    for (const listener of listeners) listener(event);
  }
}
