import { type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import { parseTraceParent, setGlobalErrorHandler } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import type { Span, SpanStart, Tracing, TracingOptions } from "./tracing.ts";

/** How long the last spans have to be sent when the program ends, in milliseconds. */
const CLOSE_MS_MAX = 2_000;
/** A collector that is away is mentioned so often, in milliseconds. */
const FAILURE_EVERY_MS = 60_000;
/** Longest attribute, in characters. */
const ATTRIBUTE_CHARS_MAX = 256;

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  consumer: SpanKind.CONSUMER,
} as const;

/** Spans by OpenTelemetry's SDK. What has ended waits in its queue, 2,048 spans at most, and goes out in batches; when the collector is away
 *  the queue fills and spans are dropped, and nobody else notices. */
export class OpenTelemetryTracing implements Tracing {
  readonly isOn = true;
  readonly #provider: BasicTracerProvider;
  readonly #tracer: Tracer;

  constructor({ serviceName, version, onFailure }: TracingOptions) {
    let mentionedAtMs = Number.NEGATIVE_INFINITY;
    setGlobalErrorHandler((error) => {
      if (performance.now() - mentionedAtMs < FAILURE_EVERY_MS) return;
      mentionedAtMs = performance.now();
      onFailure(error instanceof Error ? error.message : "unknown");
    });
    this.#provider = new BasicTracerProvider({
      resource: defaultResource()
        .merge(resourceFromAttributes({ "service.name": serviceName, "service.version": version }))
        .merge(detectResources({ detectors: [envDetector] })),
      spanLimits: { attributeValueLengthLimit: ATTRIBUTE_CHARS_MAX },
      spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
    });
    this.#tracer = this.#provider.getTracer("genai", version);
  }

  start(name: string, { parent, kind, attributes, startedAtMs }: SpanStart): Span {
    const span = this.#tracer.startSpan(
      name,
      {
        kind: KINDS[kind ?? "internal"],
        ...(attributes === undefined ? {} : { attributes }),
        ...(startedAtMs === undefined ? {} : { startTime: startedAtMs }),
      },
      contextOf(parent),
    );
    const { traceId, spanId, traceFlags } = span.spanContext();
    let ended = false;
    return {
      traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`,
      end: ({ attributes: more, failure, name: newName } = {}) => {
        if (ended) return;
        ended = true;
        if (newName !== undefined) span.updateName(newName);
        if (more !== undefined) span.setAttributes(more);
        if (failure != null) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
        span.end();
      },
    };
  }

  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS_MAX);
    });
    // A collector that is away is no reason to end badly.
    await Promise.race([this.#provider.shutdown().catch(() => {}), limit]);
    clearTimeout(timer);
  }
}

function contextOf(traceparent: string | null | undefined): Context {
  const parent = traceparent == null ? null : parseTraceParent(traceparent);
  return parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true });
}
