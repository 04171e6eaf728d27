import type { DeliveryStore } from "./delivery-store.ts";
import type { WebhookSecrets } from "./webhook-secrets.ts";

/** What the API needs of webhooks. */
export interface WebhookDesk {
  readonly deliveries: DeliveryStore;
  readonly secrets: WebhookSecrets;
  /** Why a URL can't be a sink, in a sentence; null where it may be. */
  objection(url: string): string | null;
}
