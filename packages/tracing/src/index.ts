export { isTracingAskedFor, openTracing } from "./open-tracing.ts";
export {
  type Attributes,
  NO_SPAN,
  NO_TRACING,
  type Span,
  type SpanStart,
  type Tracing,
  type TracingOptions,
} from "./tracing.ts";
