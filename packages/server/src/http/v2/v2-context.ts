import { preferredWaitSeconds, type V2Task } from "@genai/protocol";
import type { Request, Response } from "express";
import type { Caller } from "../../identity/caller.ts";
import type { StoredTask } from "../../tasks/stored-task.ts";
import { baseUrl, publicUrlOf } from "../base-url.ts";
import { headerToken } from "../caller-of.ts";
import type { HttpAppOptions } from "../http-options.ts";
import { HttpRefusal } from "../http-refusal.ts";
import { waitForEnd } from "../wait-for-end.ts";
import { blockedView } from "./blocked-view.ts";
import type { StreamLife } from "./event-stream.ts";
import { type ArtifactUrl, taskView } from "./v2-view.ts";

/** What v2's handlers share. */
export class V2Context {
  readonly options: HttpAppOptions;

  constructor(options: HttpAppOptions) {
    this.options = options;
  }

  /** The caller's task; an administrator has everybody's. One that is another's is not there. */
  async taskOf(caller: Caller, taskId: string): Promise<StoredTask> {
    const task = await this.options.store.task(taskId);
    if (task === null || (task.userId !== caller.userId && caller.role !== "admin")) {
      throw new HttpRefusal("task_not_found", { detail: `there is no task ${taskId}` });
    }
    return task;
  }

  /** The task once it has ended or its caller's `Prefer: wait` is over. Says in the answer that it waited. */
  async afterWait(task: StoredTask, prefer: string | undefined, response: Response): Promise<StoredTask> {
    const seconds = preferredWaitSeconds(prefer);
    if (seconds === null) return task;
    response.setHeader("Preference-Applied", `wait=${seconds}`);
    if (task.settledAtMs !== null || seconds === 0) return task;
    const ended = await waitForEnd(this.options, response, task.taskId, seconds * 1_000);
    return ended ?? (await this.options.store.task(task.taskId)) ?? task;
  }

  async view(task: StoredTask, request: Request): Promise<V2Task> {
    const { store, fleet } = this.options;
    const attempts = task.lastAttempt === 0 ? [] : await store.attemptsOf(task.taskId);
    const live = task.settledAtMs === null ? fleet.task(task.taskId) : null;
    const blocked = task.state === "queued" ? blockedView(fleet.blocked(task)) : null;
    return taskView(task, attempts, live, blocked, this.artifactUrl(request));
  }

  /** A stream lasts no longer than its caller's token is accepted; an issuer that is away for a moment ends none. */
  streamLife(request: Request): StreamLife {
    const { stopping, authenticate, settings } = this.options;
    const token = headerToken(request);
    return {
      stopping,
      keepAliveMs: settings.keepAliveMs,
      isWelcome: async () => (await authenticate(token)).type !== "refused",
    };
  }

  artifactUrl(request: Request): ArtifactUrl {
    const base = baseUrl(request, this.options.settings.publicUrl);
    return (artifact) => publicUrlOf(this.options.artifactUrl(artifact), base);
  }
}
