import { NO_TRACING, type Tracing, type TracingOptions } from "./tracing.ts";

/** Whether the environment asks for traces: an OTLP endpoint is named, and nothing switches it off. */
export function isTracingAskedFor(environment: Readonly<Record<string, string | undefined>>): boolean {
  const endpoint = environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || environment.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (endpoint === undefined || endpoint === "") return false;
  const isDisabled = environment.OTEL_SDK_DISABLED?.toLowerCase() === "true";
  return !isDisabled && environment.OTEL_TRACES_EXPORTER?.toLowerCase() !== "none";
}

/** Traces by the standard variables of OpenTelemetry, sent as JSON over OTLP/HTTP. Where none asks for them nothing of its SDK is loaded.
 *  The SDK reads the other variables by itself, from the process. */
export async function openTracing(
  environment: Readonly<Record<string, string | undefined>>,
  options: TracingOptions,
): Promise<Tracing> {
  if (!isTracingAskedFor(environment)) return NO_TRACING;
  // Loaded late on purpose: it takes a tenth of a second, which a start without traces must not pay.
  const { OpenTelemetryTracing } = await import("./open-telemetry-tracing.ts");
  return new OpenTelemetryTracing(options);
}
