import type { Dispatcher } from "@genai/dispatcher";

/** What is wrong with the state of a dispatcher, as sentences; empty where every promise holds. */
export function violationsOf(dispatcher: Dispatcher): string[] {
  return [...slotViolations(dispatcher), ...waitViolations(dispatcher)];
}

/** A slot holds at most what it may, a task has at most two open attempts and they are its own. */
function slotViolations(dispatcher: Dispatcher): string[] {
  const { tasks, attempts, providers } = dispatcher.inspect();
  const wrong: string[] = [];
  for (const { providerId, online, running, slots } of providers) {
    if (online && running > slots) wrong.push(`provider ${providerId} has ${running} attempts on ${slots} slots`);
  }
  const openOf = new Map<string, number[]>();
  for (const { taskId, attempt, open } of attempts) {
    if (open) openOf.set(taskId, [...(openOf.get(taskId) ?? []), attempt]);
  }
  for (const { taskId, open } of tasks) {
    const atProviders = openOf.get(taskId) ?? [];
    openOf.delete(taskId);
    if (open.length > 2) wrong.push(`task ${taskId} has ${open.length} open attempts`);
    if ([...open].sort().join() !== atProviders.sort().join()) {
      wrong.push(`task ${taskId} has open attempts ${open}, its providers ${atProviders}`);
    }
  }
  for (const [taskId, open] of openOf) wrong.push(`task ${taskId} is settled but has open attempts ${open}`);
  return wrong;
}

/** For every waiting task and every free slot that it may have there is a hold for one of a better score. */
function waitViolations(dispatcher: Dispatcher): string[] {
  const { nowMs, tasks, holds, users } = dispatcher.inspect();
  const capped = new Set(
    users.flatMap((user) => (user.runningMax !== null && user.running >= user.runningMax ? [user.userId] : [])),
  );
  const holdOf = new Map(holds.map((hold) => [hold.taskId, hold]));
  const wrong: string[] = [];
  for (const { taskId, userId, state } of tasks) {
    if (state !== "waiting" || capped.has(userId)) continue;
    const providers = dispatcher.explain(taskId)?.providers ?? [];
    const hold = holdOf.get(taskId);
    const held = providers.find((provider) => provider.providerId === hold?.providerId)?.parts ?? null;
    for (const { providerId, eligible, reasons, parts } of providers) {
      if (!eligible || reasons.includes("busy") || parts === null) continue;
      if (hold === undefined || held === null)
        wrong.push(`task ${taskId} waits without a hold though ${providerId} is free`);
      else if (!(held.score < parts.score)) {
        wrong.push(`task ${taskId} is held for ${hold.providerId} (${held.score}) over ${providerId} (${parts.score})`);
      } else if (hold.untilMs !== null && hold.untilMs < nowMs) wrong.push(`the hold of ${taskId} is over`);
    }
  }
  return wrong;
}
