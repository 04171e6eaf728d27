import type { Dispatcher, Inspection } from "@genai/dispatcher";
import type { Eligibility } from "../eligibility.ts";
import type { Ledger, LedgerTask } from "../ledger.ts";

/** What is wrong with the state that the dispatcher gives for a task, or null. */
export function wrongTaskState(
  ledger: Ledger,
  dispatcher: Dispatcher,
  entry: LedgerTask,
  limits: { readonly graceMs: number; readonly lossesMax: number },
): string | null {
  const { taskId } = entry.task;
  const snapshot = dispatcher.task(taskId);
  if (snapshot === null) return `task ${taskId} is gone, and nobody was told`;
  const mine = entry.open.map((attempt) => attempt.attempt).sort((a, b) => a - b);
  const theirs = snapshot.open.map((attempt) => attempt.attempt).sort((a, b) => a - b);
  if (mine.join() !== theirs.join()) return `task ${taskId} has open attempts ${theirs}; the effects say ${mine}`;
  const expected = expectedState(ledger, entry, limits);
  if (expected !== null && snapshot.state !== expected) return `task ${taskId} is ${snapshot.state}, not ${expected}`;
  return null;
}

function expectedState(
  ledger: Ledger,
  { open, retryAtMs, task, faults, losses }: LedgerTask,
  limits: { readonly graceMs: number; readonly lossesMax: number },
): string | null {
  if (open.some((attempt) => attempt.lostAtMs === null)) return "running";
  const spent = faults >= task.maxAttempts || losses >= limits.lossesMax;
  const inGrace = open.some(
    ({ lostAtMs, restored }) => restored || (lostAtMs ?? -Infinity) + limits.graceMs > ledger.nowMs,
  );
  if (open.length >= 2 || (open.length > 0 && spent)) return "adrift";
  // A restored attempt has no grace: its task may wait already because it waited before.
  if (inGrace) return open.some((attempt) => attempt.restored) ? null : "adrift";
  return retryAtMs > ledger.nowMs ? "backingOff" : "waiting";
}

/** What is wrong with how many attempts sit on each provider, or null. */
export function wrongOccupancy(ledger: Ledger, eligibility: Eligibility): string | null {
  for (const provider of ledger.providers.values()) {
    const snapshot = eligibility.snapshot(provider.providerId);
    const { open, sitting } = ledger.occupied(provider);
    const running = snapshot?.running ?? 0;
    if (running < open || running > open + sitting) {
      return `provider ${provider.providerId} has ${running} attempts on it; the effects say ${open} and ${sitting} that leave`;
    }
    if ((snapshot?.online ?? false) !== provider.online)
      return `provider ${provider.providerId} is not where it was put`;
    if (snapshot?.online && snapshot.draining !== provider.draining)
      return `the drain of ${provider.providerId} was forgotten`;
  }
  return null;
}

/** No two tasks are held for more than a provider's slots without the later one's estimate counting the earlier. */
export function wrongHolds(dispatcher: Dispatcher, { holds, tasks }: Inspection): string | null {
  const ratioOf = new Map(tasks.map((task) => [task.taskId, task.ratio]));
  const heldFor = new Map<string, string[]>();
  for (const { taskId, providerId } of holds) {
    if (ratioOf.get(taskId) !== 0) heldFor.set(providerId, [...(heldFor.get(providerId) ?? []), taskId]);
  }
  for (const [providerId, taskIds] of heldFor) {
    const slots = dispatcher.provider(providerId)?.slots ?? 0;
    if (taskIds.length <= slots) continue;
    const ahead = taskIds.map(
      (taskId) =>
        dispatcher.explain(taskId)?.providers.find((provider) => provider.providerId === providerId)?.parts
          ?.aheadSeconds ?? 0,
    );
    if (new Set(ahead).size === 1)
      return `tasks ${taskIds} are held for the ${slots} slots of ${providerId} as if alone`;
  }
  return null;
}
