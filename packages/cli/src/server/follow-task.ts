import { setTimeout as pause } from "node:timers/promises";
import { ProgressEvent, StateEvent, V2Task, type V2TaskState } from "@genai/protocol";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { CliError } from "../cli-error.ts";
import type { ApiClient } from "./api-client.ts";

export interface TaskFollower {
  onState(state: V2TaskState, event: StateEvent): void;
  onProgress(event: ProgressEvent): void;
}

const finalStates: readonly V2TaskState[] = ["succeeded", "failed", "canceled"];
/** Pauses before a broken stream is opened again. A server that restarts is back in seconds; after the last one it counts as away. */
const reconnectMs = [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000];
/** The server tells of itself far more often; a stream that is silent for so long is broken. */
const silenceMs = 60_000;

/** Follows a task to its end and returns it. A stream that breaks is taken up where it broke. Throws the signal's reason when aborted. */
export async function followTask(
  api: ApiClient,
  taskId: string,
  follower: TaskFollower,
  signal: AbortSignal,
): Promise<V2Task> {
  let lastEventId = "";
  for (let broken = 0; ; broken += 1) {
    signal.throwIfAborted();
    try {
      for await (const { event, id, data } of taskEvents(api, taskId, lastEventId, signal)) {
        broken = 0;
        if (id) lastEventId = id;
        tell(follower, event, data);
      }
      const task = await api.json({ method: "GET", path: `/v2/tasks/${taskId}`, signal }, V2Task);
      if (finalStates.includes(task.state)) return task;
    } catch (error) {
      const goes = error instanceof CliError && !(error.exitCode === 5 || error.exitCode === 6);
      if (goes || signal.aborted || broken >= reconnectMs.length) throw error;
    }
    await pause(reconnectMs[broken] ?? 8_000, undefined, { signal });
  }
}

async function* taskEvents(
  api: ApiClient,
  taskId: string,
  lastEventId: string,
  signal: AbortSignal,
): AsyncIterable<{ event?: string | undefined; id?: string | undefined; data: string }> {
  const silent = new AbortController();
  let timer = setTimeout(() => silent.abort(), silenceMs);
  try {
    const response = await api.open({
      method: "GET",
      path: `/v2/tasks/${taskId}/events`,
      headers: { accept: "text/event-stream", ...(lastEventId !== "" && { "last-event-id": lastEventId }) },
      signal: AbortSignal.any([signal, silent.signal]),
    });
    const alive = new TransformStream<Uint8Array, Uint8Array>({
      transform: (piece, controller) => {
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), silenceMs);
        controller.enqueue(piece);
      },
    });
    if (!response.body) return;
    yield* response.body
      .pipeThrough(alive)
      .pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>)
      .pipeThrough(new EventSourceParserStream({ maxBufferSize: 4 * 1024 ** 2 }));
  } catch (error) {
    if (error instanceof CliError || signal.aborted) throw error;
    throw new CliError(
      "away",
      "The connection to the server broke off, and it did not come back. Look again with its id.",
      {
        cause: error,
      },
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Events of kinds that we don't know, and ones that can't be read, are passed over: the task itself is asked at the end. */
function tell(follower: TaskFollower, type: string | undefined, data: string): void {
  const json = jsonOrNull(data);
  if (type === "state") {
    const event = StateEvent.safeParse(json).data;
    if (event) follower.onState(event.state, event);
  } else if (type === "progress") {
    const event = ProgressEvent.safeParse(json).data;
    if (event) follower.onProgress(event);
  }
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
