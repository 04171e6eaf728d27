import type { V2Task } from "@genai/protocol";
import type { Request } from "express";
import type { Caller } from "../../identity/caller.ts";
import type { StoredTask } from "../../tasks/stored-task.ts";
import { baseUrl } from "../base-url.ts";
import type { HttpAppOptions } from "../http-options.ts";
import { HttpRefusal } from "../http-refusal.ts";
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

  async view(task: StoredTask, request: Request): Promise<V2Task> {
    const attempts = task.lastAttempt === 0 ? [] : await this.options.store.attemptsOf(task.taskId);
    const progress = this.options.fleet.progressOf(task.taskId);
    return taskView(task, attempts, { progress }, this.artifactUrl(request));
  }

  artifactUrl(request: Request): ArtifactUrl {
    const base = `${baseUrl(request, this.options.settings.publicUrl)}/`;
    return (artifact) => new URL(this.options.artifactUrl(artifact), base).href;
  }
}
