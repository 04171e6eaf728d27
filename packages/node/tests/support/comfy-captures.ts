import type { ComfyVersion } from "./fake-comfy-ui.ts";

/** What two running servers sent, literally: ComfyUI v0.3.64 of 2025-10-12 (`new`) and its commit 448d926 of 2024-03-14 (`old`).
 *  `P` stands for the prompt's id, `T` for a time in milliseconds, `F` for the number in a saved file's name. */

/** `LoadImage → SaveImage` of an image that is there. */
export const TRACE_GRAPH = {
  "1": { class_type: "LoadImage", inputs: { image: "probe.png" } },
  "2": { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "trace" } },
};

/** An image file that is none: the file exists, so the graph is taken. */
export const CORRUPT_GRAPH = {
  "1": { class_type: "LoadImage", inputs: { image: "corrupt.png" } },
  "2": { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "trace" } },
};

interface Capture {
  /** The first frame on a socket that was opened with `clientId=C1`. */
  readonly greeting: string;
  /** Frames of a run of `TRACE_GRAPH` after its post, in order; "…" where the capture was cut. */
  readonly run: readonly string[];
  /** Of the same graph again. */
  readonly again: readonly string[];
  /** Of a run of `CORRUPT_GRAPH`, from the first event of its own. */
  readonly failure: readonly string[];
  /** `/history/P` of the first run, without its key. */
  readonly history: string;
  /** `POST /prompt` of a graph with an unknown class: status and body. */
  readonly unknownClass: { readonly status: number; readonly body: string };
  /** … without an output node. */
  readonly noOutputs: { readonly status: number; readonly body: string };
  /** … without the key `prompt`. */
  readonly noPrompt: { readonly status: number; readonly body: string };
}

const TROUBLE = { status: 500, body: "500 Internal Server Error\n\nServer got itself in trouble" };
const STATUS = (n: number): string => `{"type":"status","data":{"status":{"exec_info":{"queue_remaining":${n}}}}}`;
const OUTPUT = '{"images":[{"filename":"trace_F_.png","subfolder":"","type":"output"}]}';
const NODE_STATE = (id: string, value: number, state: string): string =>
  `"${id}":{"value":${value},"max":1,"state":"${state}","node_id":"${id}","prompt_id":"P","display_node_id":"${id}","parent_node_id":null,"real_node_id":"${id}"}`;
const PROGRESS_STATE = (...nodes: string[]): string =>
  `{"type":"progress_state","data":{"prompt_id":"P","nodes":{${nodes.join(",")}}}}`;

export const CAPTURES: Readonly<Record<ComfyVersion, Capture>> = {
  new: {
    greeting: '{"type":"status","data":{"status":{"exec_info":{"queue_remaining":0}},"sid":"C1"}}',
    run: [
      STATUS(1),
      STATUS(1),
      '{"type":"execution_start","data":{"prompt_id":"P","timestamp":"T"}}',
      '{"type":"execution_cached","data":{"nodes":[],"prompt_id":"P","timestamp":"T"}}',
      PROGRESS_STATE(NODE_STATE("1", 0, "running")),
      '{"type":"executing","data":{"node":"1","display_node":"1","prompt_id":"P"}}',
      PROGRESS_STATE(NODE_STATE("1", 1, "finished")),
      PROGRESS_STATE(NODE_STATE("1", 1, "finished"), NODE_STATE("2", 0, "running")),
      '{"type":"executing","data":{"node":"2","display_node":"2","prompt_id":"P"}}',
      `{"type":"executed","data":{"node":"2","display_node":"2","output":${OUTPUT},"prompt_id":"P"}}`,
      PROGRESS_STATE(NODE_STATE("1", 1, "finished"), NODE_STATE("2", 1, "finished")),
      '{"type":"execution_success","data":{"prompt_id":"P","timestamp":"T"}}',
      STATUS(0),
      '{"type":"executing","data":{"node":null,"prompt_id":"P"}}',
    ],
    again: [
      STATUS(1),
      STATUS(1),
      '{"type":"execution_start","data":{"prompt_id":"P","timestamp":"T"}}',
      '{"type":"execution_cached","data":{"nodes":["1","2"],"prompt_id":"P","timestamp":"T"}}',
      `{"type":"executed","data":{"node":"2","display_node":"2","output":${OUTPUT},"prompt_id":"P"}}`,
      PROGRESS_STATE(NODE_STATE("2", 1, "finished")),
      '{"type":"execution_success","data":{"prompt_id":"P","timestamp":"T"}}',
      STATUS(0),
      '{"type":"executing","data":{"node":null,"prompt_id":"P"}}',
    ],
    failure: [
      '{"type":"execution_start","data":{"prompt_id":"P","timestamp":"T"}}',
      '{"type":"execution_cached","data":{"nodes":[],"prompt_id":"P","timestamp":"T"}}',
      PROGRESS_STATE(NODE_STATE("1", 0, "running")),
      '{"type":"executing","data":{"node":"1","display_node":"1","prompt_id":"P"}}',
      '{"type":"execution_error","data":{"prompt_id":"P","node_id":"1","node_type":"LoadImage","executed":[],"exception_message":"cannot identify image file \'/input/corrupt.png\'\\n","exception_type":"PIL.UnidentifiedImageError","traceback":"…","current_inputs":{"image":["corrupt.png"]},"current_outputs":["1","2"],"timestamp":"T"}}',
      STATUS(0),
      '{"type":"executing","data":{"node":null,"prompt_id":"P"}}',
    ],
    history: `{"prompt":[0,"P",${JSON.stringify(TRACE_GRAPH)},{"extra_pnginfo":{"workflow":{"note":"w"}},"client_id":"C1"},["2"]],"outputs":{"2":${OUTPUT}},"status":{"status_str":"success","completed":true,"messages":[["execution_start",{"prompt_id":"P","timestamp":"T"}],["execution_cached",{"nodes":[],"prompt_id":"P","timestamp":"T"}],["execution_success",{"prompt_id":"P","timestamp":"T"}]]},"meta":{"2":{"node_id":"2","display_node":"2","parent_node":null,"real_node_id":"2"}}}`,
    unknownClass: {
      status: 400,
      body: '{"error":{"type":"invalid_prompt","message":"Cannot execute because node NoSuchNode does not exist.","details":"Node ID \'#1\'","extra_info":{}},"node_errors":{}}',
    },
    noOutputs: {
      status: 400,
      body: '{"error":{"type":"prompt_no_outputs","message":"Prompt has no outputs","details":"","extra_info":{}},"node_errors":{}}',
    },
    noPrompt: {
      status: 400,
      body: '{"error":{"type":"no_prompt","message":"No prompt provided","details":"No prompt provided","extra_info":{}},"node_errors":{}}',
    },
  },
  old: {
    greeting: '{"type":"status","data":{"status":{"exec_info":{"queue_remaining":0}},"sid":"C1"}}',
    run: [
      STATUS(1),
      STATUS(1),
      '{"type":"execution_start","data":{"prompt_id":"P"}}',
      '{"type":"execution_cached","data":{"nodes":[],"prompt_id":"P"}}',
      '{"type":"executing","data":{"node":"1","prompt_id":"P"}}',
      '{"type":"executing","data":{"node":"2","prompt_id":"P"}}',
      `{"type":"executed","data":{"node":"2","output":${OUTPUT},"prompt_id":"P"}}`,
      STATUS(0),
      '{"type":"executing","data":{"node":null,"prompt_id":"P"}}',
    ],
    again: [
      STATUS(1),
      STATUS(1),
      '{"type":"execution_start","data":{"prompt_id":"P"}}',
      '{"type":"execution_cached","data":{"nodes":["1","2"],"prompt_id":"P"}}',
      STATUS(0),
      '{"type":"executing","data":{"node":null,"prompt_id":"P"}}',
    ],
    failure: [
      '{"type":"execution_start","data":{"prompt_id":"P"}}',
      '{"type":"execution_cached","data":{"nodes":[],"prompt_id":"P"}}',
      '{"type":"executing","data":{"node":"1","prompt_id":"P"}}',
      '{"type":"execution_error","data":{"prompt_id":"P","node_id":"1","node_type":"LoadImage","executed":[],"exception_message":"cannot identify image file \'/input/corrupt.png\'","exception_type":"PIL.UnidentifiedImageError","traceback":"…","current_inputs":{"image":["corrupt.png"]},"current_outputs":{}}}',
      STATUS(0),
      '{"type":"executing","data":{"node":null,"prompt_id":"P"}}',
    ],
    history: `{"prompt":[0,"P",${JSON.stringify(TRACE_GRAPH)},{"extra_pnginfo":{"workflow":{"note":"w"}},"client_id":"C1"},["2"]],"outputs":{"2":${OUTPUT}},"status":{"status_str":"success","completed":true,"messages":[["execution_start",{"prompt_id":"P"}],["execution_cached",{"nodes":[],"prompt_id":"P"}]]}}`,
    unknownClass: TROUBLE,
    noOutputs: {
      status: 400,
      body: '{"error":{"type":"prompt_no_outputs","message":"Prompt has no outputs","details":"","extra_info":{}},"node_errors":[]}',
    },
    noPrompt: { status: 400, body: '{"error":"no prompt","node_errors":[]}' },
  },
};

/** Text as the captures write it: ids, times, file numbers and tracebacks by their letters. */
export function asCaptured(value: unknown, promptId: string): unknown {
  const text = JSON.stringify(value, (key, each: unknown) => {
    if (key === "timestamp") return "T";
    return key === "traceback" ? "…" : each;
  });
  return JSON.parse(text.replaceAll(promptId, "P").replace(/trace_\d{5}_/g, "trace_F_"));
}
