import type { NewCredential } from "../../identity/credential-store.ts";
import type { ClaimedTask, ClaimRequest, StoreChange } from "../../tasks/task-store.ts";
import type { OutboxEntry, TryOutcome } from "../../webhooks/delivery-store.ts";
import type { AppliedChange } from "../applied-change.ts";
import type { RecoveredBatch } from "../recovered-task.ts";
import type { SweepOptions, SweepResult } from "../sweep-result.ts";

/** Whose webhooks are to be tried again. */
export interface ReplaySelection {
  readonly userId: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly state: "delivered" | "dead" | null;
}

/** What the writer can do, by name: arguments and answer. All of it is plain JSON. */
export interface WriterCalls {
  /** `failures`: how many commits the caller knows to have failed. One that was asked for before it knew of the last fails too. */
  commit: {
    readonly request: { readonly changes: readonly StoreChange[]; readonly failures: number };
    readonly reply: readonly AppliedChange[];
  };
  tell: { readonly request: { readonly taskId: string }; readonly reply: boolean };
  claim: { readonly request: ClaimRequest; readonly reply: readonly ClaimedTask[] };
  recover: { readonly request: { readonly after: number }; readonly reply: RecoveredBatch };
  sweep: { readonly request: SweepOptions; readonly reply: SweepResult };
  outboxDue: {
    readonly request: { readonly limit: number; readonly leaseMs: number };
    readonly reply: readonly OutboxEntry[];
  };
  outboxTried: { readonly request: { readonly outboxId: string; readonly outcome: TryOutcome }; readonly reply: null };
  outboxDeferred: {
    readonly request: { readonly deliveryIds: readonly string[]; readonly forMs: number };
    readonly reply: null;
  };
  replayDelivery: { readonly request: { readonly deliveryId: string }; readonly reply: boolean };
  replayDeliveries: { readonly request: ReplaySelection; readonly reply: number };
  setSinkStopped: { readonly request: { readonly key: string; readonly stopped: boolean }; readonly reply: null };
  addCredential: { readonly request: NewCredential; readonly reply: "added" | "taken" };
  redeemEnrolment: {
    readonly request: { readonly enrolmentHash: string; readonly nodeKey: NewCredential };
    readonly reply: "redeemed" | "refused" | "taken";
  };
  revokeCredential: { readonly request: { readonly credentialId: string }; readonly reply: boolean };
  writeDocument: { readonly request: { readonly name: string; readonly text: string }; readonly reply: null };
  /** Writes a byte, so that it fails where nothing can be written. */
  ping: { readonly request: null; readonly reply: null };
}

export type WriterCall = keyof WriterCalls;

export type WriterRequest = {
  readonly [Call in WriterCall]: { readonly call: Call; readonly request: WriterCalls[Call]["request"] };
}[WriterCall];

export interface FailedReply {
  readonly ok: false;
  readonly message: string;
  readonly outcome: "rolled_back" | "unknown";
  /** How many commits have failed in the thread so far, for the caller's next ones. */
  readonly failures: number;
}

export type WriterReply = { readonly ok: true; readonly reply: WriterCalls[WriterCall]["reply"] } | FailedReply;
