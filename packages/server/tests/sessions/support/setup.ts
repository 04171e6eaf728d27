import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import { pino } from "pino";
import type { ClientOptions } from "ws";
import type { ArtifactStore } from "../../../src/artifacts/artifact-store.ts";
import { ArtifactUrls } from "../../../src/artifacts/artifact-urls.ts";
import { FolderArtifactStore } from "../../../src/artifacts/folder-artifact-store.ts";
import { artifactRoutes } from "../../../src/http/artifact-routes.ts";
import { errorHandler } from "../../../src/http/error-handler.ts";
import { sharedTokenAuthentication } from "../../../src/sessions/node-authentication.ts";
import { createNodeGateway, type NodeGatewayOptions } from "../../../src/sessions/node-gateway.ts";
import { Peer } from "./peer.ts";
import { RecordingEvents } from "./recording-events.ts";

export interface SetupOptions
  extends Partial<Pick<NodeGatewayOptions, "limits" | "authenticate" | "legacyTerms" | "clock">> {
  readonly artifactBytesMax?: number;
  readonly stallMs?: number;
  readonly pipelines?: ReadonlyMap<string, unknown>;
  /** Stands before the store of pictures. */
  readonly before?: (real: ArtifactStore) => ArtifactStore;
}

/** A gateway on a free port with a folder of pictures, and a coordinator that only listens. */
export async function setup(options: SetupOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), "genai-gateway-"));
  const real = await FolderArtifactStore.open(folder);
  const artifacts = options.before?.(real) ?? real;
  const urls = new ArtifactUrls("a secret of a test, long enough for it", () => Date.now());
  const events = new RecordingEvents();
  const logger = pino({ level: "silent" });
  const app = express();
  const artifactBytesMax = options.artifactBytesMax ?? 64 * 1_024 * 1_024;
  app.use(
    artifactRoutes({
      artifacts,
      urls,
      events,
      store: {
        attempt: (attemptId) =>
          Promise.resolve(options.pipelines?.has(attemptId) ? ({ open: true, taskId: attemptId } as never) : null),
        pipelineOf: (taskId) => Promise.resolve((options.pipelines?.get(taskId) ?? null) as never),
      },
      bytesMax: artifactBytesMax,
      ...(options.stallMs === undefined ? {} : { stallMs: options.stallMs }),
    }),
  );
  app.use(errorHandler({ settings: { bodyBytesMax: artifactBytesMax }, logger }));
  const httpServer = createServer(app);
  const counted = { read: 0, bad: 0, unknown: 0 };
  const gateway = createNodeGateway({
    httpServer,
    events,
    artifacts,
    urls,
    artifactBytesMax,
    authenticate: sharedTokenAuthentication({ token: null, anywhereWithoutToken: false, logger }),
    logger,
    metricsHooks: { frame: (outcome) => counted[outcome]++ },
    ...options,
  });
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const { port } = httpServer.address() as AddressInfo;
  const url = `ws://127.0.0.1:${port}/`;
  const peers: Peer[] = [];
  const connect = async (clientOptions?: ClientOptions, to = url): Promise<Peer> => {
    const peer = await Peer.connect(to, clientOptions);
    peers.push(peer);
    return peer;
  };
  return {
    events,
    gateway,
    counted,
    artifacts,
    urls,
    folder,
    port,
    url,
    /** Connections that are open. */
    connections: () =>
      new Promise<number>((resolve, reject) =>
        httpServer.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
      ),
    httpUrl: `http://127.0.0.1:${port}`,
    connect,
    /** A legacy node that has registered. */
    legacy: async (nodeId = "legacy-node", clientOptions?: ClientOptions): Promise<Peer> => {
      const joined = events.of("nodeJoined").length + 1;
      const peer = await connect(clientOptions);
      peer.say({ type: "register", node_id: nodeId, metadata: { models: ["m"], gpu_type: "RTX", ncpu: 8, ram: 1e10 } });
      await events.next("nodeJoined", joined);
      return peer;
    },
    /** A protocol-2 node that has registered and taken its answer. */
    modern: async (nodeId = "node-2", register: object = {}): Promise<Peer> => {
      const peer = await connect({ perMessageDeflate: false });
      peer.say(registerFrame(nodeId, register));
      await peer.next();
      return peer;
    },
    /** A new attempt that is this node's. */
    attempt: (nodeId: string): string => {
      const attemptId = randomUUID();
      events.open.set(attemptId, nodeId);
      return attemptId;
    },
    async [Symbol.asyncDispose]() {
      for (const peer of peers) peer.terminate();
      await gateway.closeAll({ afterMs: 0 });
      httpServer.closeAllConnections();
      httpServer.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function registerFrame(nodeId: string, more: object = {}): object {
  return {
    type: "register",
    protocol: 2,
    nodeId,
    bootId: "boot-1",
    capabilities: { engine: "test", pipelines: ["standard", "comfy"] },
    slots: 2,
    held: [],
    ...more,
  };
}
