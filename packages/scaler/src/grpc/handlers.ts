import type { ScalerHandlers } from "@genai/protocol/scaler";
import type { handleServerStreamingCall, handleUnaryCall, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import type { CreateProgress } from "../core/platform.ts";
import type { Scaler } from "../core/scaler.ts";
import { ScalerError } from "../core/scaler-error.ts";
import { toServiceError } from "./status.ts";
import {
  type RequestDefaults,
  toFilter,
  toNodeInfo,
  toSpec,
  toWireChange,
  toWireOffer,
  toWirePlan,
  toWireProgress,
} from "./wire.ts";

export interface HandlerOptions {
  readonly scaler: Scaler;
  readonly defaults: RequestDefaults;
  /** Hears of errors that are bugs of ours; the caller is told no details of those. */
  readonly onBug: (error: unknown) => void;
}

/** The service's calls, once it is known who calls: each reads the request, lets the scaler do it, and answers in the wire's words. */
export function createHandlers({ scaler, defaults, onBug }: HandlerOptions): ScalerHandlers {
  const unary =
    <Q, A>(work: (request: Q, signal: AbortSignal) => Promise<A>): handleUnaryCall<Q, A> =>
    (call, callback) => {
      answer(call).then(
        (value) => callback(null, value),
        (error) => callback(told(error)),
      );
      async function answer({ request }: ServerUnaryCall<Q, A>): Promise<A> {
        return work(request, signalOf(call));
      }
    };

  const streaming =
    <Q, A>(
      work: (call: ServerWritableStream<Q, A>, signal: AbortSignal) => Promise<void>,
    ): handleServerStreamingCall<Q, A> =>
    (call) => {
      serve(call).then(
        () => call.end(),
        // gRPC ends the stream with the status of an error event; destroy() would leave the caller waiting.
        (error) => call.emit("error", told(error)),
      );
      async function serve(stream: ServerWritableStream<Q, A>): Promise<void> {
        await work(stream, signalOf(stream));
      }
    };

  function told(error: unknown): ReturnType<typeof toServiceError> {
    if (!(error instanceof ScalerError)) onBug(error);
    return toServiceError(error);
  }

  return {
    CreateNode: unary(async (request, signal) => {
      const node = await scaler.create(toSpec(request, defaults), { onProgress: () => {}, signal });
      return { nodeId: node.nodeId };
    }),

    CreateNodeStream: streaming(async (call, signal) => {
      const onProgress = (progress: CreateProgress) => call.write(toWireProgress(progress));
      const node = await scaler.create(toSpec(call.request, defaults), { onProgress, signal });
      call.write({ stage: "STAGE_DONE", progress: 1, message: `Node ${node.nodeId}`, node: toNodeInfo(node) });
    }),

    DeleteNode: unary(async ({ nodeId }) => {
      await scaler.remove(nodeId);
      return {};
    }),

    GetNode: unary(async ({ nodeId }) => toNodeInfo(await scaler.get(nodeId))),

    GetNodeLogs: streaming(async (call, signal) => {
      const { nodeId, tail, follow } = call.request;
      const lines = Math.min(Math.max(tail || 200, 1), 10_000);
      for await (const chunk of scaler.logs(nodeId, { tail: lines, follow, signal })) {
        // A reader that is slower than the log holds the log up.
        if (!call.write({ data: Buffer.from(chunk.data), stderr: chunk.stderr })) await drained(call, signal);
        if (signal.aborted) return;
      }
    }),

    ListNodes: unary(async () => ({ nodes: (await scaler.list()).map(toNodeInfo) })),

    ListOffers: unary(async ({ platform, filter, limit }) => {
      const offers = await scaler.offers(platform, toFilter(filter), Math.min(Math.max(limit || 20, 1), 200));
      return { offers: offers.map(toWireOffer) };
    }),

    PlanCreate: unary(async (request) => {
      const spec = toSpec(request, defaults);
      return toWirePlan(spec, await scaler.plan(spec));
    }),

    WatchNodes: streaming(
      (call, signal) =>
        new Promise<void>((resolve, reject) => {
          const stop = scaler.feed.watch({
            ready: () => !call.writableNeedDrain,
            next: (change) => call.write(toWireChange(change)),
            failed: reject,
          });
          signal.addEventListener("abort", () => {
            stop();
            resolve();
          });
        }),
    ),
  };
}

/** Aborted when the caller hangs up or its deadline passes. */
function signalOf(call: {
  on(event: "cancelled", listener: () => void): unknown;
  readonly cancelled: boolean;
}): AbortSignal {
  const abort = new AbortController();
  if (call.cancelled) abort.abort();
  call.on("cancelled", () => abort.abort());
  return abort.signal;
}

function drained(call: { once(event: "drain", listener: () => void): unknown }, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    call.once("drain", resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
