import type { ChangeOutcome, ClaimedTask, ClaimRequest, OutboxEntry, StoreChange } from "../../tasks/task-store.ts";
import type { RecoveredBatch } from "../recovered-task.ts";
import type { SweepOptions, SweepResult } from "../sweep-result.ts";

/** What the writer can do, by name: arguments and answer. All of it is plain JSON. */
export interface WriterCalls {
  commit: { readonly request: { readonly changes: readonly StoreChange[] }; readonly reply: readonly ChangeOutcome[] };
  claim: { readonly request: ClaimRequest; readonly reply: readonly ClaimedTask[] };
  recover: { readonly request: { readonly after: number }; readonly reply: RecoveredBatch };
  sweep: { readonly request: SweepOptions; readonly reply: SweepResult };
  outboxDue: {
    readonly request: { readonly limit: number; readonly leaseMs: number };
    readonly reply: readonly OutboxEntry[];
  };
  outboxTried: {
    readonly request: {
      readonly outboxId: string;
      readonly status: "delivered" | "failed" | "dead";
      readonly retryAtMs: number | null;
      readonly note: string;
    };
    readonly reply: null;
  };
  writeDocument: { readonly request: { readonly name: string; readonly text: string }; readonly reply: null };
  /** Writes a byte, so that it fails where nothing can be written. */
  ping: { readonly request: null; readonly reply: null };
}

export type WriterCall = keyof WriterCalls;

export type WriterRequest = {
  readonly [Call in WriterCall]: { readonly call: Call; readonly request: WriterCalls[Call]["request"] };
}[WriterCall];

export type WriterReply =
  | { readonly ok: true; readonly reply: WriterCalls[WriterCall]["reply"] }
  | { readonly ok: false; readonly message: string; readonly outcome: "rolled_back" | "unknown" };
