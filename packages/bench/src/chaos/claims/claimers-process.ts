import { openTaskStore } from "@genai/server/storage";
import { z } from "zod";
import type { Claimed } from "./claimed.ts";

/** What the parent says, as JSON in the first argument. */
const Order = z.object({
  databaseUrl: z.string().nullable(),
  home: z.string(),
  claimers: z.number(),
  /** Most tasks of one claim; each claimer asks for one after the other of 1 … limitMax. */
  limitMax: z.number(),
});

const { claimers, limitMax, ...location } = Order.parse(JSON.parse(process.argv[2] ?? "{}"));
const store = await openTaskStore(location);
const found: Claimed = { taskIds: [], over: 0, latenciesMs: [] };
await Promise.all(
  Array.from({ length: claimers }, async (_, index) => {
    for (let limit = 1 + (index % limitMax); ; limit = 1 + (limit % limitMax)) {
      const startedAtMs = performance.now();
      const claimed = await store.claim({ classKeys: ["chaos"], limit, costMin: 0 });
      found.latenciesMs.push(performance.now() - startedAtMs);
      if (claimed.length > limit) found.over += 1;
      for (const { task } of claimed) found.taskIds.push(task.taskId);
      // Rows that another holds at this moment are skipped, so that a claim may find nothing while there is something.
      if (claimed.length === 0 && !(await store.backlog()).some(({ classKey }) => classKey === "chaos")) return;
    }
  }),
);
await store.close();
process.send?.(found, undefined, undefined, () => process.disconnect());
