import type { CredentialStore } from "../identity/credential-store.ts";
import type { TaskStore } from "../tasks/task-store.ts";
import type { DeliveryStore } from "../webhooks/delivery-store.ts";

/** Everything that a server keeps, in one database. */
export interface ServerStore extends TaskStore, DeliveryStore, CredentialStore {}
