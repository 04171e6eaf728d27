import { createServer } from "node:http";
import { expect, test } from "@jest/globals";
import { isTracingAskedFor, NO_TRACING, openTracing } from "../src/index.ts";
import { Collector } from "../src/testing.ts";

const PROGRAM = { serviceName: "genai-test", version: "1.2.3", onFailure: () => {} };

/** The SDK reads the environment of the process by itself. */
async function withEndpoint<Result>(endpoint: string, run: () => Promise<Result>): Promise<Result> {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = endpoint;
  try {
    return await run();
  } finally {
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  }
}

test("nothing is traced unless an endpoint is named, and not where it is switched off", async () => {
  expect(isTracingAskedFor({})).toBe(false);
  expect(isTracingAskedFor({ OTEL_EXPORTER_OTLP_ENDPOINT: "" })).toBe(false);
  expect(isTracingAskedFor({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318" })).toBe(true);
  expect(isTracingAskedFor({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://c:4318/v1/traces" })).toBe(true);
  expect(isTracingAskedFor({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318", OTEL_SDK_DISABLED: "true" })).toBe(false);
  expect(isTracingAskedFor({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318", OTEL_TRACES_EXPORTER: "none" })).toBe(false);
  expect(await openTracing({}, PROGRAM)).toBe(NO_TRACING);
  expect(NO_TRACING.start("x", {}).traceparent).toBeNull();
});

test("spans reach the collector with their parents, outcomes and the program's name", async () => {
  await using collector = await Collector.start();
  await withEndpoint(collector.url, async () => {
    const tracing = await openTracing(process.env, PROGRAM);
    const root = tracing.start("root", { kind: "server" });
    const child = tracing.start("child", { parent: root.traceparent, attributes: { "genai.attempt": 3 } });
    child.end({ failure: "engine_down" });
    child.end({ failure: "a second end" });
    root.end({ name: "POST /v2/tasks" });
    await tracing.close();
  });
  await collector.until(2);
  const [child, root] = collector.spans;
  expect(root).toMatchObject({ name: "POST /v2/tasks", service: "genai-test", parentSpanId: "", kind: 2 });
  expect(child).toMatchObject({
    parentSpanId: root?.spanId,
    traceId: root?.traceId,
    attributes: { "genai.attempt": 3 },
  });
  expect(child?.status).toEqual({ code: 2, message: "engine_down" });
});

test("a parent that can't be read begins a new trace", async () => {
  await using collector = await Collector.start();
  const parents = ["", "x", `00-${"0".repeat(32)}-${"0".repeat(16)}-01`, `ff-${"a".repeat(32)}-${"b".repeat(16)}-01`];
  await withEndpoint(collector.url, async () => {
    const tracing = await openTracing(process.env, PROGRAM);
    for (const parent of parents) tracing.start("root", { parent }).end();
    tracing.start("child", { parent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` }).end();
    await tracing.close();
  });
  await collector.until(5);
  expect(collector.spans.slice(0, 4).map(({ parentSpanId }) => parentSpanId)).toEqual(["", "", "", ""]);
  expect(collector.spans[4]).toMatchObject({ traceId: "a".repeat(32), parentSpanId: "b".repeat(16) });
});

test("a collector that fails or hangs costs nobody anything: spans are dropped, and the end does not wait for it", async () => {
  const failures: string[] = [];
  await using collector = await Collector.start();
  collector.status = 400;
  await withEndpoint(collector.url, async () => {
    const tracing = await openTracing(process.env, { ...PROGRAM, onFailure: (reason) => failures.push(reason) });
    for (let n = 0; n < 10_000; n++) tracing.start("span", {}).end();
    await tracing.close();
  });
  const hanging = createServer();
  await new Promise<void>((resolve) => hanging.listen(0, "127.0.0.1", resolve));
  const address = hanging.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await withEndpoint(`http://127.0.0.1:${port}`, async () => {
    const tracing = await openTracing(process.env, PROGRAM);
    tracing.start("span", {}).end();
    await tracing.close();
  });
  hanging.closeAllConnections();
  await new Promise((resolve) => hanging.close(resolve));
  expect(failures.length).toBeLessThanOrEqual(1);
});
