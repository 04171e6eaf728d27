import { EventSourceParserStream } from "eventsource-parser/stream";
import { PreviewEvent, ProgressEvent, StateEvent } from "../v2/task-events.ts";
import { ApiProblem, ApiTimeout, ApiUnreachable } from "./client-error.ts";
import type { Sender } from "./sender.ts";

/** An event of a stream. State events have an id, by which a stream resumes. */
export type TaskStreamEvent =
  | { readonly type: "state"; readonly id: string; readonly data: StateEvent }
  | { readonly type: "progress"; readonly data: ProgressEvent }
  | { readonly type: "preview"; readonly data: PreviewEvent };

export interface FollowOptions {
  readonly signal?: AbortSignal;
  /** Resume after this event. */
  readonly lastEventId?: string;
}

const FINAL = new Set(["succeeded", "failed", "canceled"]);
/** Pauses before a broken stream is opened again, in milliseconds. After the last one the server counts as away. */
const PAUSES_MS = [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000];
/** The server says something every 15 s; a stream that is silent for so long is broken, in milliseconds. */
const SILENCE_MS = 60_000;
/** Longest event, in characters: a preview. */
const EVENT_CHARS_MAX = 4 * 1_024 * 1_024;

/** Events of a stream without a gap: one that breaks is taken up where it broke. `ends`: it is over with a task's final state. Throws the
 *  signal's reason when aborted, and `ApiUnreachable` when the server stays away. */
export async function* followStream(
  sender: Sender,
  path: string,
  ends: boolean,
  { signal = new AbortController().signal, lastEventId = "" }: FollowOptions,
): AsyncGenerator<TaskStreamEvent, void, undefined> {
  let last = lastEventId;
  for (let broken = 0; ; broken += 1) {
    signal.throwIfAborted();
    try {
      for await (const { event, id, data } of readStream(sender, path, last, signal)) {
        broken = 0;
        if (id) last = id;
        const read = readEvent(event, id, data);
        if (read === null) continue;
        yield read;
        if (ends && read.type === "state" && FINAL.has(read.data.state)) return;
      }
    } catch (error) {
      if (error instanceof Finished) return;
      if (signal.aborted || !mayPass(error) || broken >= PAUSES_MS.length) throw error;
    }
    await pause(PAUSES_MS[broken] ?? 8_000, signal);
  }
}

/** The stream has nothing more to say, now or ever. */
class Finished extends Error {}

interface RawEvent {
  readonly event?: string | undefined;
  readonly id?: string | undefined;
  readonly data: string;
}

async function* readStream(sender: Sender, path: string, last: string, signal: AbortSignal): AsyncGenerator<RawEvent> {
  const silent = new AbortController();
  let timer = setTimeout(() => silent.abort(), SILENCE_MS);
  try {
    const response = await sender.send("GET", path, {
      headers: { accept: "text/event-stream", ...(last === "" ? {} : { "last-event-id": last }) },
      signal: AbortSignal.any([signal, silent.signal]),
    });
    if (response.status === 204) throw new Finished();
    const decoder = new TextDecoder();
    const heard = new TransformStream<Uint8Array, string>({
      transform: (piece, controller) => {
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), SILENCE_MS);
        controller.enqueue(decoder.decode(piece, { stream: true }));
      },
    });
    if (response.body === null) return;
    yield* response.body
      .pipeThrough(heard)
      .pipeThrough(new EventSourceParserStream({ maxBufferSize: EVENT_CHARS_MAX }));
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof Finished || error instanceof ApiProblem) throw error;
    throw error instanceof ApiTimeout ? error : new ApiUnreachable(path, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** Null for events of kinds that this version does not know, and for ones that cannot be read. */
function readEvent(type: string | undefined, id: string | undefined, data: string): TaskStreamEvent | null {
  let json: unknown;
  try {
    json = JSON.parse(data);
  } catch {
    return null;
  }
  switch (type) {
    case "state": {
      const state = StateEvent.safeParse(json);
      return state.success ? { type, id: id ?? "", data: state.data } : null;
    }
    case "progress": {
      const progress = ProgressEvent.safeParse(json);
      return progress.success ? { type, data: progress.data } : null;
    }
    case "preview": {
      const preview = PreviewEvent.safeParse(json);
      return preview.success ? { type, data: preview.data } : null;
    }
    default:
      return null;
  }
}

/** Whether trying again may help. */
function mayPass(error: unknown): boolean {
  if (error instanceof ApiProblem) return error.problem.status === 429 || error.problem.status >= 500;
  return error instanceof ApiUnreachable || error instanceof ApiTimeout;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal.addEventListener("abort", abort, { once: true });
  });
}
