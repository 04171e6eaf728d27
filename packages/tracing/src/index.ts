export { isTracingAskedFor, openTracing, type TracingOptions } from "./open-tracing.ts";
export { type Attributes, NO_SPAN, NO_TRACING, type Span, type SpanStart, type Tracing } from "./tracing.ts";
