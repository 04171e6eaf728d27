import { once } from "node:events";
import { until } from "@genai/testing";
import { describe, expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { asCaptured, CAPTURES, CORRUPT_GRAPH, TRACE_GRAPH } from "../support/comfy-captures.ts";
import { type ComfyVersion, FakeComfyUi } from "../support/fake-comfy-ui.ts";

interface Frame {
  readonly type: string;
  readonly data: { readonly prompt_id?: string; readonly node?: string | null };
}

/** The fake and a client of it that knows nothing of our engine. */
async function setup(version: ComfyVersion) {
  const comfy = await FakeComfyUi.start(version);
  comfy.strangers = false;
  const socket = new WebSocket(`${comfy.url.replace("http", "ws")}/ws?clientId=C1`);
  const frames: Frame[] = [];
  socket.on("message", (data, isBinary) => {
    if (!isBinary) frames.push(JSON.parse(String(data)) as Frame);
  });
  await once(socket, "open");
  await until("the greeting", () => frames.length > 0);
  const greeting = frames.shift();
  const post = async (body: unknown) => {
    const answer = await fetch(`${comfy.url}/prompt`, { method: "POST", body: JSON.stringify(body) });
    return { status: answer.status, text: await answer.text() };
  };
  return {
    comfy,
    frames,
    greeting,
    post,
    /** Runs a graph and gives its id and all frames from the post to the end. */
    async run(prompt: unknown) {
      frames.length = 0;
      const extra_data = { extra_pnginfo: { workflow: { note: "w" } } };
      const { text } = await post({ prompt, client_id: "C1", extra_data });
      const id = (JSON.parse(text) as { prompt_id: string }).prompt_id;
      await until("the end", () => frames.some(({ type, data }) => type === "executing" && data.node === null));
      return { id, frames: frames.map((frame) => asCaptured(frame, id)) };
    },
    async [Symbol.asyncDispose]() {
      socket.terminate();
      await comfy[Symbol.asyncDispose]();
    },
  };
}

const parsed = (texts: readonly string[]): unknown[] => texts.map((text) => JSON.parse(text) as unknown);

describe.each(["new", "old"] as const)("the stand-in for ComfyUI, %s, against what a real one sent", (version) => {
  const capture = CAPTURES[version];

  test("greeting, frames of a run and its history", async () => {
    await using bundle = await setup(version);
    expect(bundle.greeting).toEqual(JSON.parse(capture.greeting));
    const { id, frames } = await bundle.run(TRACE_GRAPH);
    expect(frames).toEqual(parsed(capture.run));
    const history = (await (await fetch(`${bundle.comfy.url}/history/${id}`)).json()) as Record<string, unknown>;
    expect(asCaptured(history[id], id)).toEqual(JSON.parse(capture.history));
    expect(await (await fetch(`${bundle.comfy.url}/history/unknown`)).json()).toEqual({});
  });

  test("frames of the same graph again", async () => {
    await using bundle = await setup(version);
    await bundle.run(TRACE_GRAPH);
    expect((await bundle.run(TRACE_GRAPH)).frames).toEqual(parsed(capture.again));
  });

  test("frames of a node that fails", async () => {
    await using bundle = await setup(version);
    const { frames } = await bundle.run(CORRUPT_GRAPH);
    expect(frames.slice(2)).toEqual(parsed(capture.failure));
  });

  test.each([
    ["unknownClass", { prompt: { "1": { class_type: "NoSuchNode", inputs: {} } } }],
    ["noOutputs", { prompt: { "1": TRACE_GRAPH["1"] } }],
    ["noPrompt", {}],
  ] as const)("refusal: %s", async (name, body) => {
    await using bundle = await setup(version);
    const { status, text } = await bundle.post(body);
    expect({ status, body: text }).toEqual(capture[name]);
  });

  test("empty answers, plain-text errors and the queue's rows", async () => {
    await using bundle = await setup(version);
    const { comfy } = bundle;
    for (const path of ["/interrupt", "/queue"]) {
      const answer = await fetch(`${comfy.url}${path}`, { method: "POST", body: "{}" });
      expect([answer.status, await answer.text()]).toEqual([200, ""]);
      expect(answer.headers.get("content-type")).toBe("application/octet-stream");
    }
    const refused = await fetch(`${comfy.url}/prompt`, { method: "POST", body: "no json" });
    expect([refused.status, await refused.text()]).toEqual([
      500,
      "500 Internal Server Error\n\nServer got itself in trouble",
    ]);
    comfy.faults.hang = true;
    const { text } = await bundle.post({ prompt: TRACE_GRAPH, client_id: "C1" });
    const id = (JSON.parse(text) as { prompt_id: string }).prompt_id;
    await until("the run", () => comfy.running);
    const queue = (await (await fetch(`${comfy.url}/queue`)).json()) as Record<string, unknown>;
    expect(queue).toEqual({ queue_running: [[0, id, TRACE_GRAPH, { client_id: "C1" }, ["2"]]], queue_pending: [] });
    expect(await (await fetch(`${comfy.url}/history/${id}`)).json()).toEqual({});
    comfy.release();
  });
});
