import type { Response } from "express";
import type { TaskNews } from "../../coordinator/task-service.ts";
import type { TaskEvent } from "../../tasks/stored-task.ts";
import { type LiveNews, liveFrame, stateFrame } from "./event-frames.ts";
import { EventStream, type StreamLife } from "./event-stream.ts";

/** Most numbered events that are read from the store at once. */
const EVENTS_PAGE = 200;
/** Most tasks whose live news wait for one slow reader; beyond it the task that was met longest ago is left out. */
const LIVE_TASKS_MAX = 64;

type EventNews = Extract<TaskNews, { type: "event" }>;

/** A log of numbered events and the live news beside it. */
export interface EventSource {
  subscribe(listener: (news: TaskNews) => void): () => void;
  read(after: number, limit: number): Promise<readonly TaskEvent[]>;
  /** The number by which a reader of this log resumes. */
  cursorOf(event: TaskEvent): number;
  /** Whether the event that follows on `cursor` without a gap is surely this one. */
  follows(cursor: number, news: EventNews): boolean;
  /** True for the event after which nothing can come. */
  isLast(event: TaskEvent): boolean;
}

/** Follows a log for one reader. Sends every numbered event once and in order, reading from the store wherever the live news might have a gap;
 *  of the unnumbered live news it sends only the latest of each task. Memory is bounded however slow the reader is. */
export class EventFollower {
  readonly #source: EventSource;
  readonly #stream: EventStream;
  readonly #unsubscribe: () => void;
  /** Latest live news by task and type. */
  readonly #live = new Map<string, LiveNews>();
  #cursor: number;
  /** The store may have events that were not sent. */
  #behind = true;
  #pumping = false;

  constructor(source: EventSource, response: Response, after: number, life: StreamLife) {
    this.#source = source;
    this.#cursor = after;
    const { stopping } = life;
    const end = (): void => this.#stream.end();
    stopping.addEventListener("abort", end);
    this.#stream = new EventStream(response, life, {
      onReady: () => this.#wake(),
      onEnd: () => {
        stopping.removeEventListener("abort", end);
        this.#unsubscribe();
        this.#live.clear();
      },
    });
    this.#unsubscribe = source.subscribe((news) => this.#hear(news));
    if (stopping.aborted) end();
    else this.#wake();
  }

  /** Tells the reader where its log begins. */
  greet(): void {
    this.#stream.send(`id: ${this.#cursor}\nevent: ready\ndata: {}\n\n`);
  }

  #hear(news: TaskNews): void {
    if (this.#stream.ended) return;
    if (news.type !== "event") {
      this.#keepLive(news);
    } else {
      this.#dropLive(news.event.taskId);
      const upToDate = !this.#behind && !this.#pumping && !this.#stream.blocked;
      if (upToDate && this.#source.follows(this.#cursor, news)) {
        this.#sendEvent(news.event);
        return;
      }
      this.#behind = true;
    }
    this.#wake();
  }

  #keepLive(news: LiveNews): void {
    const key = `${news.taskId} ${news.type}`;
    this.#live.delete(key);
    this.#live.set(key, news);
    if (this.#live.size <= 2 * LIVE_TASKS_MAX) return;
    const oldest = this.#live.keys().next();
    if (!oldest.done) this.#live.delete(oldest.value);
  }

  /** A state event supersedes the live news of its task. */
  #dropLive(taskId: string): void {
    this.#live.delete(`${taskId} progress`);
    this.#live.delete(`${taskId} preview`);
  }

  #sendEvent(event: TaskEvent): void {
    this.#cursor = this.#source.cursorOf(event);
    this.#stream.send(stateFrame(event, this.#cursor));
    if (this.#source.isLast(event)) this.#stream.end();
  }

  /** Sends until the reader is slow or there is nothing left. One pump at a time; a failing store ends the stream, and its
   *  reader comes back with the last id it saw. */
  #wake(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#pump().then(
      () => {
        this.#pumping = false;
        // News may have arrived while the pump was finishing.
        if (this.#hasWork()) this.#wake();
      },
      () => this.#stream.end(),
    );
  }

  #hasWork(): boolean {
    return !this.#stream.ended && !this.#stream.blocked && (this.#behind || this.#live.size > 0);
  }

  async #pump(): Promise<void> {
    while (this.#hasWork()) {
      if (this.#behind) {
        this.#behind = false;
        const events = await this.#source.read(this.#cursor, EVENTS_PAGE);
        for (const event of events) this.#sendEvent(event);
        if (events.length === EVENTS_PAGE) this.#behind = true;
      } else {
        const [key, news] = this.#live.entries().next().value as [string, LiveNews];
        this.#live.delete(key);
        this.#stream.send(liveFrame(news));
      }
    }
  }
}
