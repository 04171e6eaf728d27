import type { V2Task } from "@genai/protocol";

export interface Figures {
  readonly tasks: number;
  /** Tasks that more than one node was given. */
  readonly moved: number;
  /** Acknowledged tasks without a good result. */
  readonly lost: number;
  /** Tasks of which more than one result was taken. */
  readonly twice: number;
}

export function figuresOf(tasks: readonly V2Task[]): Figures {
  const accepted = (task: V2Task) => task.attempts.filter(({ state }) => state === "succeeded").length;
  return {
    tasks: tasks.length,
    moved: tasks.filter(({ attempts }) => new Set(attempts.map(({ nodeId }) => nodeId)).size > 1).length,
    lost: tasks.filter(({ state }) => state !== "succeeded").length,
    twice: tasks.filter((task) => accepted(task) > 1).length,
  };
}

/** How many tasks each node's accepted attempts make. */
export function sharesOf(tasks: readonly V2Task[]): Readonly<Record<string, number>> {
  const shares: Record<string, number> = {};
  for (const { attempts } of tasks) {
    const nodeId = attempts.find(({ state }) => state === "succeeded")?.nodeId ?? "nobody";
    shares[nodeId] = (shares[nodeId] ?? 0) + 1;
  }
  return shares;
}

/** One line of figures, for whoever reads the output of the tests. */
export function tell(what: string, figures: object): void {
  const words = Object.entries(figures).map(
    ([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`,
  );
  console.info(`e2e ${what}: ${words.join(", ")}`);
}
