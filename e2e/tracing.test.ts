import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { root, until } from "@genai/testing";
import { type CollectedSpan, Collector } from "@genai/tracing/testing";
import { expect, test } from "@jest/globals";
import { Service } from "./support/service.ts";

const PROMPT = "a very secret fox";
const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER = "00f067aa0ba902b7";

test("one trace leads from the caller through POST, wait, attempt, node and engine to the upload and the stored result", async () => {
  await using collector = await Collector.start();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: "100" };
  await using service = await Service.start({ env, nodes: 0 });
  service.startNode([], env);
  await service.nodesOnline(1);
  const pipeline = { type: "standard", prompt: PROMPT, width: 64, height: 64, steps: 2 };
  const headers = { prefer: "wait=60", traceparent: `00-${TRACE_ID}-${CALLER}-01` };
  const answer = await service.post("/v2/tasks", { pipeline }, headers);
  const task = (await answer.json()) as { readonly id: string; readonly state: string };
  expect(task.state).toBe("succeeded");

  const ofTrace = (): CollectedSpan[] => collector.spans.filter(({ traceId }) => traceId === TRACE_ID);
  const names = ["POST /v2/tasks", "wait in the queue", "attempt", "store the result"]
    .concat(["run the attempt", "engine", "upload", "deliver the result"])
    .concat(["PUT /v2/attempts/:attemptId/artifacts/:n"]);
  await until("every span is at the collector", async () =>
    names.every((name) => ofTrace().some((span) => span.name === name)),
  );
  const of = (name: string): CollectedSpan => {
    const found = ofTrace().filter((span) => span.name === name);
    expect([name, found.length]).toEqual([name, 1]);
    return found[0] as CollectedSpan;
  };
  const parents = Object.fromEntries(
    names.map((name) => [name, ofTrace().find(({ spanId }) => spanId === of(name).parentSpanId)?.name ?? ""]),
  );
  expect(parents).toEqual({
    "POST /v2/tasks": "",
    "wait in the queue": "POST /v2/tasks",
    attempt: "POST /v2/tasks",
    "store the result": "attempt",
    "run the attempt": "attempt",
    engine: "run the attempt",
    upload: "run the attempt",
    "PUT /v2/attempts/:attemptId/artifacts/:n": "upload",
    "deliver the result": "run the attempt",
  });
  expect(of("POST /v2/tasks").parentSpanId).toBe(CALLER);
  expect(ofTrace().map(({ status }) => status.code)).not.toContain(2);
  const ofNode = names.filter((name) => of(name).service === "genai-node");
  expect(ofNode).toEqual(["run the attempt", "engine", "upload", "deliver the result"]);
  expect(of("attempt").attributes).toMatchObject({ "genai.attempt": 1, "genai.attempt.state": "succeeded" });

  const everything = collector.bodies.join("\n");
  expect(everything).not.toContain(PROMPT);
  expect(everything).not.toContain(service.adminKey);
  expect(everything).not.toContain("signature");
}, 60_000);

test("a task that waits over a restart of its server goes on in the same trace", async () => {
  await using collector = await Collector.start();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: "100" };
  await using service = await Service.start({ env, nodes: 0 });
  const pipeline = { type: "standard", prompt: PROMPT, width: 64, height: 64, steps: 2 };
  const traceparent = `00-${TRACE_ID}-${CALLER}-01`;
  expect((await service.post("/v2/tasks", { pipeline }, { traceparent })).status).toBe(201);
  await service.server.end("SIGKILL");
  await service.startServer();
  service.startNode([], env);
  await until("its upload is in the trace of its POST", async () =>
    collector.spans.some(({ name, traceId }) => name === "upload" && traceId === TRACE_ID),
  );
}, 60_000);

test("without an endpoint nothing of the SDK is loaded", async () => {
  const program = `
    const { openTracing } = await import("@genai/tracing");
    const { createRequire } = await import("node:module");
    const tracing = await openTracing(process.env, { serviceName: "x", version: "0", onFailure: () => {} });
    const loaded = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes("opentelemetry"));
    console.log(JSON.stringify([tracing.isOn, loaded.length > 0]));
    await tracing.close();`;
  const run = async (env: Readonly<Record<string, string>>): Promise<unknown> => {
    const args = ["--input-type=module", "-e", program];
    const options = { cwd: `${root}/packages/server`, env: { PATH: process.env.PATH, ...env }, timeout: 30_000 };
    return JSON.parse((await promisify(execFile)(process.execPath, args, options)).stdout);
  };
  expect(await run({})).toEqual([false, false]);
  expect(await run({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" })).toEqual([true, true]);
}, 60_000);
