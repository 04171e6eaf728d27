import type { Fleet } from "./fleet.ts";
import type { LedgerTask } from "./ledger.ts";

/** What became of everything, once the fleet is at peace again. */
export interface Verdict {
  readonly ended: number;
  readonly succeeded: number;
  /** Tasks with more than one end in their log. */
  readonly twice: number;
  readonly attempts: number;
  /** Results that reached a node's disk. */
  readonly onDisk: number;
  /** Of those, the ones that became their task's result. */
  readonly accepted: number;
  /** Of those, the ones that came too late: their task had a good result already. */
  readonly superseded: number;
  /** Sentences, each a broken promise. */
  readonly violations: readonly string[];
}

/** Holds what the server's store says against what its callers were promised and what the nodes had on their disks. */
export function judge(fleet: Fleet, submitted: readonly string[], ledger: readonly LedgerTask[]): Verdict {
  const violations: string[] = [];
  const tasks = new Map(ledger.map((task) => [task.taskId, task]));
  for (const taskId of submitted)
    if (!tasks.has(taskId)) violations.push(`task ${taskId} was acknowledged and is gone`);
  for (const { taskId, state, settledAtMs, ends, attempts } of ledger) {
    const won = attempts.filter((attempt) => attempt.state === "succeeded").length;
    const open = attempts.filter(({ closedAtMs }) => closedAtMs === null).length;
    if (settledAtMs === null) violations.push(`task ${taskId} has not ended: it is ${state}`);
    else if (ends !== 1) violations.push(`task ${taskId} has ended ${ends} times`);
    if (won !== (state === "succeeded" ? 1 : 0))
      violations.push(`task ${taskId} is ${state} with ${won} accepted results`);
    if (settledAtMs !== null && open > 0) violations.push(`task ${taskId} has ended with ${open} open attempts`);
  }
  const attempts = new Map(ledger.flatMap((task) => task.attempts).map((attempt) => [attempt.attemptId, attempt]));
  let accepted = 0;
  let superseded = 0;
  for (const { nodeId, onDisk, undelivered } of fleet.nodes.map((node) => ({
    nodeId: node.nodeId,
    onDisk: node.onDisk,
    undelivered: node.undelivered(),
  }))) {
    if (undelivered > 0) violations.push(`${nodeId} keeps ${undelivered} results that nobody acknowledged`);
    for (const { attemptId } of onDisk) {
      const attempt = attempts.get(attemptId);
      if (attempt === undefined) violations.push(`${nodeId} made attempt ${attemptId}, which nobody gave it`);
      else if (attempt.state === "succeeded") accepted += 1;
      else if (tasks.get(attempt.taskId)?.state === "succeeded") superseded += 1;
      else violations.push(`the result of attempt ${attemptId} was on the disk of ${nodeId} and is lost`);
    }
    const twice = onDisk.length - new Set(onDisk.map(({ attemptId }) => attemptId)).size;
    if (twice > 0) violations.push(`${nodeId} made ${twice} attempts twice`);
  }
  for (const { nodeId, unknownFrames } of fleet.legacyNodes)
    for (const frame of unknownFrames) violations.push(`${nodeId} was sent what v1 does not know: ${frame}`);
  return {
    ended: ledger.filter(({ settledAtMs }) => settledAtMs !== null).length,
    succeeded: ledger.filter(({ state }) => state === "succeeded").length,
    twice: ledger.filter(({ ends }) => ends > 1).length,
    attempts: attempts.size,
    onDisk: fleet.nodes.reduce((sum, node) => sum + node.onDisk.length, 0),
    accepted,
    superseded,
    violations,
  };
}
