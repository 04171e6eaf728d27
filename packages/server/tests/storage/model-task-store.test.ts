import { ModelTaskStore } from "./support/model-task-store.ts";
import { describeTaskStore } from "./support/task-store-contract.ts";

describeTaskStore(async () => {
  const store = new ModelTaskStore();
  return { store, reopen: async () => store, [Symbol.asyncDispose]: async () => undefined };
});
