import type { PreviewEvent, ProgressEvent, StateEvent, TaskId } from "@genai/protocol";
import type { TaskNews } from "../../coordinator/task-service.ts";
import type { TaskEvent } from "../../tasks/stored-task.ts";
import { instant } from "./v2-view.ts";

/** A numbered event as an SSE frame; `id` is what its reader resumes after. */
export function stateFrame(event: TaskEvent, id: number): string {
  const data: StateEvent = {
    taskId: event.taskId as TaskId,
    number: event.number,
    at: instant(event.atMs),
    state: event.state,
    ...event.detail,
  };
  return `id: ${id}\nevent: state\ndata: ${JSON.stringify(data)}\n\n`;
}

export type LiveNews = Exclude<TaskNews, { type: "event" }>;

/** One frame for all who listen: a preview may have half a megabyte and a thousand readers. */
const frames = new WeakMap<LiveNews, Buffer>();

/** A live frame, without an id. Made once however many read it. */
export function liveFrame(news: LiveNews): Buffer {
  const made = frames.get(news) ?? Buffer.from(`event: ${news.type}\ndata: ${JSON.stringify(liveData(news))}\n\n`);
  frames.set(news, made);
  return made;
}

function liveData(news: LiveNews): ProgressEvent | PreviewEvent {
  const taskId = news.taskId as TaskId;
  if (news.type === "progress") return { taskId, attempt: news.attempt, value: news.value, stage: news.stage };
  const base64 = Buffer.from(news.bytes.buffer, news.bytes.byteOffset, news.bytes.byteLength).toString("base64");
  return { taskId, attempt: news.attempt, mime: news.mime, base64 };
}
