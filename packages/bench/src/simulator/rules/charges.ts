import type { Inspection } from "@genai/dispatcher";
import type { Ledger } from "../ledger.ts";

/** Half a millisecond for each of so many roundings that no honest run comes near it. */
const TOLERANCE_MS = 1e-3;

/** What is wrong with the service tags, or null: charged at send, corrected at the end, refunded when lost, lifted to the credit. */
export function wrongCharge(ledger: Ledger, { users }: Inspection): string | null {
  for (const { userId, tag, tasks } of users) {
    // Who has no tasks is lifted like a newcomer when it has some again.
    if (tasks === 0) continue;
    const mine = ledger.userOf(userId).tag;
    if (Math.abs(tag - mine) > TOLERANCE_MS + Math.abs(mine) * 1e-9) {
      return `user ${userId} has a service tag of ${tag}; by what was sent, measured and refunded it is ${mine}`;
    }
  }
  return null;
}
