import type { Tracing } from "@genai/tracing";
import type { Router } from "express";
import type { Logger } from "pino";
import type { TaskService } from "../coordinator/task-service.ts";
import type { Authenticate } from "../identity/caller.ts";
import type { Credentials } from "../identity/credentials.ts";
import type { TaskArtifact } from "../tasks/stored-task.ts";
import type { TaskStore } from "../tasks/task-store.ts";
import type { Uploads } from "../uploads/uploads.ts";
import type { WebhookDesk } from "../webhooks/webhook-desk.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { FleetReadings } from "./fleet-readings.ts";

/** Settings of the HTTP side. */
export interface HttpSettings {
  /** Where clients reach this server (`https://genai.example`, also with a path that a proxy strips), or null: what their Host header says. */
  readonly publicUrl: string | null;
  /** Addresses or subnets of proxies whose X-Forwarded-* count. */
  readonly trustedProxies: readonly string[];
  /** Longest body in bytes, as it is and inflated. */
  readonly bodyBytesMax: number;
  /** How long the synchronous v1 call waits for its task, in milliseconds. */
  readonly syncTimeoutMs: number;
  /** How long one attempt at a graph may take, in milliseconds. */
  readonly graphTimeoutMs: number;
  /** Creations a minute and user; null for no limit. */
  readonly creationsPerMinute: number | null;
  /** Other requests a minute and user; null for no limit. */
  readonly readsPerMinute: number | null;
  /** The same of each network address, whoever calls from it; null for no limit. */
  readonly creationsPerMinuteAndAddress: number | null;
  /** How often an event stream gets a comment and its caller is asked for anew, in milliseconds. */
  readonly keepAliveMs: number;
  /** Opens /metrics; null: to this machine. */
  readonly metricsToken: string | null;
  /** Stands in for a model that a v1 caller left out. */
  readonly defaultModel: string;
  /** Longest prompt that v2 takes, in characters. */
  readonly promptCharsMax: number;
  /** v1 answers with data URLs, as the original did, instead of artifact URLs. */
  readonly v1DataUrls: boolean;
}

/** Everything that the HTTP side is made of. */
export interface HttpAppOptions {
  readonly settings: HttpSettings;
  readonly tasks: TaskService;
  readonly store: TaskStore;
  readonly authenticate: Authenticate;
  /** Where a client fetches an artifact: absolute, or a path on this server. Signed, and as long-lived as the artifact. */
  readonly artifactUrl: (artifact: TaskArtifact) => string;
  /** The artifact's bytes, or null where they are gone; needed for data URLs only. */
  readonly readArtifact: (artifact: TaskArtifact) => Promise<Uint8Array | null>;
  /** Routers of other parts, for paths outside of `/v1`: they read their own bodies and answer for themselves. */
  readonly routers: readonly Router[];
  readonly fleet: FleetReadings;
  readonly uploads: Uploads;
  readonly webhooks: WebhookDesk;
  readonly bodies: BodyBudget;
  readonly metrics: { text(): Promise<string>; readonly contentType: string };
  readonly credentials: Credentials;
  readonly tracing: Tracing;
  readonly logger: Logger;
  /** Fires when the server stops: waiting calls are answered, streams end. */
  readonly stopping: AbortSignal;
  /** True while new work is welcome; false turns `/readyz` red. */
  readonly isReady: () => boolean;
  /** Version of the product, for the API's document. */
  readonly version: string;
  readonly newTaskId: () => string;
  readonly wallMs: () => number;
}
