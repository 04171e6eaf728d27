import type { TaskEvent } from "../tasks/stored-task.ts";
import type { TaskNews } from "./task-service.ts";

type Listener = (news: TaskNews) => void;

/** Live news by topic (`task:<id>`, `user:<id>`). Nothing is kept: what was missed is in the event log. */
export class NewsHub {
  readonly #listeners = new Map<string, Set<Listener>>();
  /** The newest position of the log that was told, and the one behind which everything up to there was. */
  #toldUpTo = 0;
  #toldAfter = 0;

  /** Returns the end of the subscription. */
  subscribe(topic: string, listener: Listener): () => void {
    let listeners = this.#listeners.get(topic);
    if (listeners === undefined) {
      listeners = new Set();
      this.#listeners.set(topic, listeners);
    }
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
    };
  }

  /** True when somebody would hear it; spares making news for nobody. */
  hears(taskId: string, userId: string): boolean {
    return this.#listeners.size > 0 && (this.#listeners.has(`task:${taskId}`) || this.#listeners.has(`user:${userId}`));
  }

  /** Tells an entry of the log. Whoever writes entries that are told late, or to nobody here, leaves a gap, of which the next one tells. */
  publishEvent(event: TaskEvent): void {
    const { taskId, userId, position } = event;
    if (position > this.#toldUpTo + 1) this.#toldAfter = position - 1;
    this.#toldUpTo = Math.max(this.#toldUpTo, position);
    this.publish(taskId, userId, { type: "event", event, toldAfter: this.#toldAfter });
  }

  publish(taskId: string, userId: string, news: TaskNews): void {
    if (this.#listeners.size === 0) return;
    for (const topic of [`task:${taskId}`, `user:${userId}`]) {
      for (const listener of [...(this.#listeners.get(topic) ?? [])]) listener(news);
    }
  }
}
