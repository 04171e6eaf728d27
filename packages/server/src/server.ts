import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { NO_TRACING, type Tracing } from "@genai/tracing";
import type { Logger } from "pino";
import { ArtifactUrls } from "./artifacts/artifact-urls.ts";
import { openArtifactStore } from "./artifacts/open-artifact-store.ts";
import { StrayPictures } from "./artifacts/stray-pictures.ts";
import { UploadRemover } from "./artifacts/upload-remover.ts";
import { systemClock } from "./clock.ts";
import { type Configuration, ConfigurationError } from "./configuration/configuration.ts";
import { readHomeSecrets } from "./configuration/home-secrets.ts";
import { Coordinator } from "./coordinator/coordinator.ts";
import type { NodeSessions } from "./coordinator/node-sessions.ts";
import { createAddressPolicy } from "./egress/address-policy.ts";
import { createEgress } from "./egress/guarded-fetch.ts";
import { AppMessages } from "./http/app-messages.ts";
import { artifactRoutes, DIRECT_UPLOAD_MS } from "./http/artifact-routes.ts";
import { BodyBudget } from "./http/body-budget.ts";
import { limitConnections } from "./http/connection-limits.ts";
import { cutStalled } from "./http/cut-stalled.ts";
import { drainHttp } from "./http/drain.ts";
import { createHttpApp } from "./http/http-app.ts";
import type { HttpSettings } from "./http/http-options.ts";
import { oneAtATime } from "./http/one-at-a-time.ts";
import { checkSecrets, configuredAuthenticator } from "./identity/configured-authenticator.ts";
import { Credentials } from "./identity/credentials.ts";
import { listen } from "./listen.ts";
import { ServerMetrics } from "./metrics/server-metrics.ts";
import { Retention } from "./retention.ts";
import { runningFleet } from "./running-fleet.ts";
import type { GatewayLimits } from "./sessions/gateway-limits.ts";
import { nodeKeyAuthentication, sharedTokenAuthentication } from "./sessions/node-authentication.ts";
import { createNodeGateway } from "./sessions/node-gateway.ts";
import { openTaskStore } from "./storage/index.ts";
import { startSweeping } from "./sweeping.ts";
import { newTaskId } from "./tasks/new-task-id.ts";
import type { TaskArtifact } from "./tasks/stored-task.ts";
import { TraceRecorder } from "./trace-recorder.ts";
import { Uploads } from "./uploads/uploads.ts";
import { configuredUserLimits } from "./user-limits.ts";
import { VERSION } from "./version.ts";
import { WebhookDeliverer } from "./webhooks/webhook-deliverer.ts";
import { WebhookSecrets } from "./webhooks/webhook-secrets.ts";

/** A running server, and its end. */
export interface RunningServer {
  readonly port: number;
  /** Base of its URLs as seen from this machine, without a slash at the end. */
  readonly url: string;
  /** No new work; what runs is stored, sockets are closed with a code. Takes a few seconds at most. */
  close(): Promise<void>;
}

/** How long nodes are told to wait, at most, before they come back to a server that stops, in milliseconds. */
const RECONNECT_MS_MAX = 1_000;
/** How often event streams get a comment, and those whose token is accepted no more are ended, in milliseconds. */
const STREAM_KEEP_ALIVE_MS = 15_000;
/** How long open requests have to end once the server stops, in milliseconds. */
const HTTP_CLOSE_MS = 3_000;

/** What a server may be given beside its configuration. */
export interface ServerOptions {
  /** Bounds of nodes' sockets that differ from the gateway's own. */
  readonly limits?: Partial<GatewayLimits>;
  /** Where spans go; whoever gives it closes it, after the server. Default nowhere. */
  readonly tracing?: Tracing;
}

/** Puts the parts together and listens. Rejects with a sentence for people: {@link ConfigurationError}, `StoreRefused`,
 *  `StoreUnavailable`, `ArtifactStoreRefused`, or a system error of the port. */
export async function startServer(
  configuration: Configuration,
  logger: Logger,
  { limits = {}, tracing = NO_TRACING }: ServerOptions = {},
): Promise<RunningServer> {
  const home = configuration.GENAI_HOME;
  const { wallMs } = systemClock;
  const secrets = readSecrets(home);
  const trace = configuration.TRACE_FILE === null ? null : new TraceRecorder(configuration.TRACE_FILE, logger);
  checkSecrets(configuration, logger);
  const store = await openTaskStore({ databaseUrl: configuration.DATABASE_URL, home });
  const credentials = new Credentials({ store, logger, wallMs });
  const authenticate = configuredAuthenticator(configuration, secrets, credentials, logger);
  const artifacts = await openArtifactStore(configuration).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  const keptElsewhere = configuration.ARTIFACT_STORE !== null && configuration.S3_PRESIGN;
  const urls = new ArtifactUrls(secrets.urlSecret, wallMs, keptElsewhere);
  const remover = new UploadRemover(artifacts, logger, keptElsewhere ? DIRECT_UPLOAD_MS : null);
  const stopping = new AbortController();

  const metrics = new ServerMetrics({
    store,
    demand: () => coordinator.dispatcher.demand(),
    runningTaskCount: () => coordinator.runningTaskCount(),
    sessions: () => gateway.sessions(),
    wallMs,
  });
  const sessions: NodeSessions = {
    deliver: (nodeId, delivery) => gateway.deliver(nodeId, delivery),
    abort: (nodeId, attemptId, reason) => gateway.abort(nodeId, attemptId, reason),
    acknowledge: (nodeId, attemptId, verdict) => gateway.acknowledge(nodeId, attemptId, verdict),
    disconnect: (nodeId, reason) => gateway.disconnect(nodeId, reason),
  };
  const coordinator = new Coordinator({
    store,
    sessions,
    clock: systemClock,
    logger,
    leaseMs: configuration.LEASE,
    warmTurnsMax: configuration.WARM_TURNS_MAX,
    taskTtlMs: configuration.TASK_TTL,
    userLimits: configuredUserLimits(configuration, credentials),
    inputBytesMax: configuration.MAX_INPUT_BYTES_PER_USER,
    uploadLimits: { graphPicturesMax: configuration.MAX_GRAPH_PICTURES, bytesMax: configuration.MAX_ATTEMPT_BYTES },
    discard: (keys) => remover.remove(keys),
    tracing,
    trace: metrics.trace(trace),
    onCommitted: (changes, outcomes, ms) => metrics.committed(changes, outcomes, ms),
  });

  // Slow headers and bodies end by themselves; checked often, since Node's default is every 30 s.
  const messages = new AppMessages();
  const http = createServer({
    IncomingMessage: messages.IncomingMessage,
    ServerResponse: messages.ServerResponse,
    headersTimeout: 5_000,
    requestTimeout: 300_000,
    connectionsCheckingInterval: 1_000,
  });
  const openCount = limitConnections(http, {
    max: configuration.MAX_CONNECTIONS,
    perAddressMax: configuration.MAX_CONNECTIONS_PER_ADDRESS,
    trustedProxies: configuration.TRUST_PROXY ?? [],
  });
  const gateway = createNodeGateway({
    httpServer: http,
    events: coordinator.nodes,
    artifacts,
    urls,
    authenticate: nodeKeyAuthentication(
      credentials,
      sharedTokenAuthentication({
        token: configuration.NODE_TOKEN,
        anywhereWithoutToken: configuration.NODES_WITHOUT_TOKEN,
        logger,
      }),
    ),
    logger,
    limits: { frameBytesMax: configuration.MAX_FRAME_BYTES, leaseMs: configuration.LEASE, ...limits },
    metricsHooks: {
      frame: (outcome) => metrics.frame(outcome),
      refusedUpgrade: (status) => metrics.refusedUpgrade(status),
    },
    publicUrl: configuration.PUBLIC_URL,
    legacyTerms: { cost: configuration.LEGACY_NODE_COST, slots: configuration.LEGACY_NODE_SLOTS },
    artifactBytesMax: configuration.MAX_ARTIFACT_BYTES,
  });
  credentials.onNodeKeyChanged((nodeId) => {
    // For good: what it ran is another's at once, and what it may still say counts no more.
    coordinator.nodes.nodeLost(nodeId, "left");
    gateway.disconnect(nodeId, "this id's key has changed");
  });
  credentials.onUserKeysChanged((userId) => coordinator.limitsChanged(userId));
  const egress = createEgress(createAddressPolicy(configuration.EGRESS_ALLOW ?? []));
  const webhookSecrets = new WebhookSecrets(configuration.WEBHOOK_SECRET ?? secrets.webhookSecret, store);
  const deliverer = new WebhookDeliverer({
    store,
    egress,
    secrets: webhookSecrets,
    logger,
    onTry: (outcome) => metrics.webhookTried(outcome),
  });
  const uploads = new Uploads(artifacts, {
    ttlMs: configuration.ARTIFACT_TTL,
    userBytesMax: configuration.MAX_UPLOAD_BYTES_PER_USER,
  });
  const app = createHttpApp({
    settings: httpSettings(configuration),
    tasks: coordinator,
    store,
    authenticate,
    artifactUrl: ({ key, url }: TaskArtifact) =>
      key === null ? (url ?? "") : urls.download(key, configuration.ARTIFACT_TTL),
    readArtifact: async ({ key }) => {
      const body = key === null ? null : await artifacts.get(key);
      return body === null ? null : buffer(body);
    },
    routers: [
      artifactRoutes({
        artifacts,
        urls,
        events: coordinator.nodes,
        store,
        bytesMax: configuration.MAX_ARTIFACT_BYTES,
      }),
    ],
    uploads,
    bodies: new BodyBudget(configuration.MAX_BODY_BYTES),
    credentials,
    tracing,
    metrics,
    webhooks: { deliveries: store, secrets: webhookSecrets, objection: (url) => egress.objection(url) },
    fleet: runningFleet({
      dispatcher: coordinator.dispatcher,
      progressOf: (taskId) => coordinator.progressOf(taskId),
      gateway,
      events: coordinator.nodes,
      tallyOf: (nodeId) => coordinator.tallyOf(nodeId),
      taskTtlMs: configuration.TASK_TTL,
      wallMs,
    }),
    logger,
    stopping: stopping.signal,
    isReady: () => !stopping.signal.aborted && coordinator.storeIsWritable,
    version: VERSION,
    newTaskId: () => newTaskId(wallMs()),
    wallMs,
  });
  http.on("request", oneAtATime(cutStalled(messages.belongTo(app))));

  try {
    await credentials.start();
    await coordinator.start();
    const listening = await listen(http, configuration.HTTP_PORT, configuration.HOST);
    const retention = new Retention({
      store,
      artifacts,
      taskTtlMs: configuration.TASK_TTL,
      artifactTtlMs: configuration.ARTIFACT_TTL,
      inputTtlMs: configuration.INPUT_TTL,
      logger,
      onExpired: (tasks) => coordinator.expired(tasks),
    });
    const strays = new StrayPictures({
      store,
      artifacts,
      artifactTtlMs: configuration.ARTIFACT_TTL,
      wallMs,
      logger,
    });
    const stopSweeping = startSweeping({ retention, strays, uploads, logger });
    deliverer.start();
    logger.info({ addresses: listening.addresses, home }, "listening");
    return {
      port: listening.port,
      url: `http://${listening.addresses[0]}`,
      close: async () => {
        stopping.abort();
        stopSweeping();
        deliverer.close();
        credentials.close();
        remover.close();
        coordinator.stopGiving();
        await Promise.all([
          drainHttp(http, { close: () => listening.close(), openCount, withinMs: HTTP_CLOSE_MS }),
          gateway.closeAll({ afterMs: RECONNECT_MS_MAX }),
        ]);
        await coordinator.close();
        await egress.close();
        await deliverer.idle();
        await store.close();
        await artifacts.close();
        await trace?.close();
        logger.info("stopped");
      },
    };
  } catch (error) {
    credentials.close();
    await gateway.closeAll({ afterMs: 0 });
    await coordinator.close();
    await egress.close();
    await store.close();
    await artifacts.close();
    await trace?.close();
    throw error;
  }
}

/** The part of the configuration that the HTTP side goes by. */
function httpSettings(configuration: Configuration): HttpSettings {
  return {
    publicUrl: configuration.PUBLIC_URL,
    trustedProxies: configuration.TRUST_PROXY ?? [],
    bodyBytesMax: configuration.MAX_BODY_BYTES,
    syncTimeoutMs: configuration.WS_TASK_TIMEOUT,
    graphTimeoutMs: configuration.ATTEMPT_TIMEOUT,
    creationsPerMinute: configuration.RATE_LIMIT,
    readsPerMinute: configuration.READ_RATE_LIMIT,
    creationsPerMinuteAndAddress: configuration.ADDRESS_RATE_LIMIT,
    keepAliveMs: STREAM_KEEP_ALIVE_MS,
    metricsToken: configuration.METRICS_TOKEN,
    defaultModel: configuration.DEFAULT_MODEL,
    promptCharsMax: configuration.MAX_PROMPT_CHARS,
    v1DataUrls: configuration.V1_DATA_URLS,
  };
}

function readSecrets(home: string): ReturnType<typeof readHomeSecrets> {
  try {
    return readHomeSecrets(home);
  } catch (error) {
    throw new ConfigurationError(
      `GENAI_HOME is ${JSON.stringify(home)}, which can't be used. ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}
