import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { NO_TRACING } from "@genai/tracing";
import type { Express } from "express";
import { pino } from "pino";
import { ArtifactUrls } from "../../src/artifacts/artifact-urls.ts";
import { artifactRoutes } from "../../src/http/artifact-routes.ts";
import { BodyBudget } from "../../src/http/body-budget.ts";
import { createHttpApp } from "../../src/http/http-app.ts";
import type { HttpAppOptions, HttpSettings } from "../../src/http/http-options.ts";
import { oneAtATime } from "../../src/http/one-at-a-time.ts";
import { tokenHash } from "../../src/identity/api-keys.ts";
import { createAuthenticator } from "../../src/identity/authenticator.ts";
import { Credentials } from "../../src/identity/credentials.ts";
import { createJwtVerifier } from "../../src/identity/jwt-verifier.ts";
import { Uploads } from "../../src/uploads/uploads.ts";
import { WebhookSecrets } from "../../src/webhooks/webhook-secrets.ts";
import { fakeDeliveries } from "./fake-deliveries.ts";
import { FakeFleet } from "./fake-fleet.ts";
import { FakeTasks } from "./fake-tasks.ts";
import { MemoryArtifacts } from "./memory-artifacts.ts";
import { MemoryCredentials } from "./memory-credentials.ts";

export const JWT_SECRET = "a secret of more than thirty-two bytes";

const METRICS_TOKEN = "a token for the metrics";

/** An administrator's API key. */
export const ADMIN_KEY = "admin-key";

const SETTINGS: HttpSettings = {
  publicUrl: null,
  trustedProxies: [],
  bodyBytesMax: 1_000_000,
  syncTimeoutMs: 10_000,
  graphTimeoutMs: 3_600_000,
  creationsPerMinute: null,
  readsPerMinute: null,
  creationsPerMinuteAndAddress: null,
  metricsToken: METRICS_TOKEN,
  defaultModel: "",
  promptCharsMax: 8_000,
  keepAliveMs: 15_000,
  v1DataUrls: false,
};

export interface HttpServerSetup {
  readonly settings?: Partial<HttpSettings>;
  /** False: any token is a name. Default false. */
  readonly enforced?: boolean;
  readonly options?: Partial<HttpAppOptions>;
}

/** The HTTP side on a free port, over tasks in memory. */
export class TestHttpServer implements AsyncDisposable {
  readonly tasks = new FakeTasks();
  readonly fleet = new FakeFleet();
  readonly credentials = new Credentials({
    store: new MemoryCredentials(),
    logger: pino({ level: "silent" }),
    wallMs: () => Date.now(),
  });
  readonly url: string;
  readonly port: number;
  readonly #server: Server;

  /** `onApp` gets the app itself. */
  static async start(setup: HttpServerSetup = {}, onApp?: (app: Express) => void): Promise<TestHttpServer> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new TestHttpServer(server, setup, onApp);
  }

  constructor(server: Server, setup: HttpServerSetup, onApp?: (app: Express) => void) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.port}`;
    let taskNumber = 0;
    const artifacts = new MemoryArtifacts();
    const app = createHttpApp({
      settings: { ...SETTINGS, ...setup.settings },
      tasks: this.tasks.service,
      store: this.tasks.store,
      authenticate: createAuthenticator({
        enforced: setup.enforced ?? false,
        apiKeys: {
          lookup: async (hash) =>
            hash === tokenHash(ADMIN_KEY) ? { userId: "admin", role: "admin" } : this.credentials.apiKey(hash),
        },
        verifyJwt: createJwtVerifier({
          secrets: [JWT_SECRET],
          jwks: null,
          requireExp: false,
          audience: null,
          issuer: null,
        }),
      }),
      artifactUrl: (artifact) => `/artifacts/${artifact.key}?signature=s`,
      readArtifact: async () => Buffer.from("png"),
      routers: [
        artifactRoutes({
          artifacts,
          urls: new ArtifactUrls("a secret of a test, long enough for it", () => 1_700_000_000_000),
          events: { uploadsOf: () => null },
          store: this.tasks.store,
          bytesMax: 1_000_000,
        }),
      ],
      fleet: this.fleet,
      uploads: new Uploads(artifacts, { ttlMs: 3_600_000, userBytesMax: null }),
      credentials: this.credentials,
      metrics: { text: async () => "# HELP nothing\n", contentType: "text/plain; version=0.0.4; charset=utf-8" },
      webhooks: {
        deliveries: fakeDeliveries(this.tasks),
        secrets: new WebhookSecrets("root", { readDocument: async () => null, writeDocument: async () => {} }),
        objection: (url) => (url.startsWith("http://10.") ? "10.0.0.1 is not on the public internet." : null),
      },
      bodies: new BodyBudget(setup.settings?.bodyBytesMax ?? SETTINGS.bodyBytesMax),
      tracing: NO_TRACING,
      version: "0.0.0",
      logger: pino({ level: "silent" }),
      stopping: new AbortController().signal,
      isReady: () => true,
      newTaskId: () => {
        taskNumber += 1;
        return `01890000-0000-7000-8000-${String(taskNumber).padStart(12, "0")}`;
      },
      wallMs: () => 1_700_000_000_000,
      ...setup.options,
    });
    server.on("request", oneAtATime(app));
    onApp?.(app);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
