import type { TaskStore } from "../../../src/storage/index.ts";
import type { DeliveryStore } from "../../../src/webhooks/delivery-store.ts";

type Store = TaskStore & Pick<DeliveryStore, "outboxDue" | "outboxTried">;

/** What a suite needs of an adapter. Each test gets an empty store of its own. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Ends the store as a crash of the server would leave it for its next start, and opens it again. */
  reopen(): Promise<Store>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Waiting tasks outside of windows, by class. */
export async function backlogOf(store: TaskStore): Promise<Record<string, number>> {
  const backlog = await store.backlog();
  return Object.fromEntries(
    backlog.filter((entry) => entry.unclaimed > 0).map((entry) => [entry.classKey, entry.unclaimed]),
  );
}
