import { type NodeInfo, type ScalerHandlers, scalerService } from "@genai/protocol/scaler";
import { Metadata, Server, ServerCredentials, status } from "@grpc/grpc-js";

export interface ScalerStandIn extends AsyncDisposable {
  readonly address: string;
  readonly nodes: Map<string, NodeInfo>;
  /** Requests of creations, as they came. */
  readonly requests: unknown[];
  /** Authorization of each call. */
  readonly credentials: unknown[];
  /** From now on no call is answered; `called` hears of each. */
  silence(called: () => void): void;
}

/** A scaler with its nodes in a map: `local` works, everything else is refused as the real one does. */
export async function startScalerStandIn(): Promise<ScalerStandIn> {
  const nodes = new Map<string, NodeInfo>();
  const requests: unknown[] = [];
  const credentials: unknown[] = [];
  let lastId = 0;
  let silent: (() => void) | null = null;
  const refusal = (code: status, details: string) => ({ code, details, metadata: new Metadata() });
  const handlers: ScalerHandlers = {
    CreateNode: (_call, done) => done(refusal(status.UNIMPLEMENTED, "")),
    CreateNodeStream: (call) => {
      if (silent) return silent();
      credentials.push(call.metadata.get("authorization")[0]);
      requests.push(call.request);
      if (call.request.platform !== "local") {
        call.emit(
          "error",
          refusal(status.INVALID_ARGUMENT, `Platform ${call.request.platform} is unknown here; there is local.`),
        );
        return;
      }
      lastId += 1;
      const node: NodeInfo = {
        nodeId: lastId.toString(16).padStart(12, "0"),
        platform: "local",
        backend: call.request.backend,
        image: call.request.image || "genai/node",
        state: "NODE_STATE_RUNNING",
        createdAt: { seconds: "1700000000", nanos: 0 },
      };
      nodes.set(node.nodeId ?? "", node);
      call.write({ stage: "STAGE_PULLING", progress: 0.25, message: "Pulling genai/node" });
      call.write({ stage: "STAGE_PULLING", progress: 0.26, message: "Pulling genai/node" });
      call.write({ stage: "STAGE_PULLING", progress: 0.9, message: "Pulling genai/node" });
      call.write({ stage: "STAGE_DONE", message: "", node });
      call.end();
    },
    DeleteNode: ({ request }, done) => {
      if (silent) return silent();
      if (nodes.delete(request.nodeId)) done(null, {});
      else done(refusal(status.NOT_FOUND, `There is no node ${request.nodeId}.`));
    },
    ListNodes: (call, done) => {
      if (silent) return silent();
      credentials.push(call.metadata.get("authorization")[0]);
      done(null, { nodes: [...nodes.values()] });
    },
    GetNode: (_call, done) => done(refusal(status.UNIMPLEMENTED, "")),
    WatchNodes: (call) => {
      for (const node of nodes.values()) call.write({ type: "TYPE_ADDED", node });
      call.write({ type: "TYPE_SYNCED" });
      call.on("cancelled", () => call.end());
    },
    ListOffers: (_call, done) =>
      done(null, {
        offers: [
          {
            offerId: "7",
            platform: "vastai",
            gpu: "RTX 4090",
            gpus: 1,
            vramBytes: String(24 * 1024 ** 3),
            pricePerHour: 0.31,
            reliability: 0.995,
            location: "Sweden, SE",
          },
        ],
      }),
    PlanCreate: ({ request }, done) =>
      done(null, {
        node: { platform: request.platform, backend: request.backend, image: "genai/node" },
        pull: true,
        warnings: ["Careful."],
      }),
    GetNodeLogs: (call) => {
      call.write({ data: Buffer.from("to out\n") });
      call.write({ data: Buffer.from("to err\n"), stderr: true });
      call.end();
    },
  };
  const server = new Server();
  server.addService(scalerService, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    const done = (error: Error | null, bound: number) => (error ? reject(error) : resolve(bound));
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), done);
  });
  return {
    address: `127.0.0.1:${port}`,
    nodes,
    requests,
    credentials,
    silence: (called) => {
      silent = called;
    },
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}
