import {
  type CreateNodeRequest,
  type CreateNodeResponse__Output,
  createScalerClient,
  type ListNodesResponse__Output,
  type NodeInfo__Output,
  type ScalerClient,
} from "@genai/protocol/scaler";
import { ChannelCredentials, type ClientOptions, Metadata, type requestCallback } from "@grpc/grpc-js";
import type { Caps } from "../../src/core/capacity.ts";
import { ImagePolicy } from "../../src/core/image-policy.ts";
import type { Platform } from "../../src/core/platform.ts";
import { Scaler } from "../../src/core/scaler.ts";
import { Authenticator } from "../../src/grpc/authenticator.ts";
import { ScalerServer, type TlsFiles } from "../../src/grpc/scaler-server.ts";
import { MemoryEngine, MemoryPlatform } from "./memory-platform.ts";

export interface ScalerBundle extends AsyncDisposable {
  readonly client: ScalerClient;
  readonly engine: MemoryEngine;
  readonly bugs: unknown[];
  readonly port: number;
  create(request?: CreateNodeRequest): Promise<string>;
  list(): Promise<readonly NodeInfo__Output[]>;
  remove(nodeId: string): Promise<void>;
}

export interface BundleOptions {
  /** Default a free port of loopback. */
  readonly address?: string;
  readonly caps?: Caps;
  readonly platformCaps?: ReadonlyMap<string, Caps>;
  readonly platforms?: (engine: MemoryEngine) => readonly Platform[];
  readonly imageAllow?: readonly string[];
  readonly token?: string;
  /** The token that the client shows. */
  readonly shown?: string;
  readonly tls?: TlsFiles;
  readonly credentials?: ChannelCredentials;
  readonly clientOptions?: Partial<ClientOptions>;
}

/** A scaler that listens on a free port over platforms in memory, and a client of it. */
export async function setupScaler(options: BundleOptions = {}): Promise<ScalerBundle> {
  const engine = new MemoryEngine();
  const bugs: unknown[] = [];
  const scaler = new Scaler({
    clusterId: "t",
    platforms: options.platforms?.(engine) ?? [new MemoryPlatform(engine)],
    imagePolicy: new ImagePolicy(options.imageAllow ?? ["**"]),
    caps: options.caps ?? { nodesMax: 1000, pricePerHourMax: 1000 },
    platformCaps: options.platformCaps ?? new Map(),
    createMs: 10_000,
    watchIntervalMs: 5,
  });
  const server = new ScalerServer({
    scaler,
    authenticator: new Authenticator(options.token ?? null),
    defaults: { image: "genai/node", provScript: "", nodeToken: null },
    onBug: (error) => bugs.push(error),
    address: options.address ?? "127.0.0.1:0",
    tls: options.tls ?? null,
  });
  const port = await server.listen();
  const credentials = options.credentials ?? ChannelCredentials.createInsecure();
  const client = createScalerClient(`127.0.0.1:${port}`, credentials, options.clientOptions);
  const metadata = new Metadata();
  if (options.shown !== undefined) metadata.set("authorization", `Bearer ${options.shown}`);
  const deadline = () => ({ deadline: Date.now() + 15_000 });
  return {
    client,
    engine,
    bugs,
    port,
    create: async (request = {}) => {
      const whole = { platform: "memory", backend: "ws://127.0.0.1:8080", ...request };
      return (
        await answerOf<CreateNodeResponse__Output>((done) => client.createNode(whole, metadata, deadline(), done))
      ).nodeId;
    },
    list: async () =>
      (await answerOf<ListNodesResponse__Output>((done) => client.listNodes({}, metadata, deadline(), done))).nodes,
    remove: async (nodeId) => {
      await answerOf((done) => client.deleteNode({ nodeId }, metadata, deadline(), done));
    },
    [Symbol.asyncDispose]: async () => {
      client.close();
      scaler.close();
      await server.close();
    },
  };
}

/** The answer of a call with a callback, as a promise. */
export function answerOf<A>(call: (done: requestCallback<A>) => unknown): Promise<A> {
  return new Promise((resolve, reject) => {
    call((error, answer) => {
      if (error) reject(error);
      else if (answer === undefined) reject(new Error("The call gave no answer."));
      else resolve(answer);
    });
  });
}
