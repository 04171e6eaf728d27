import { normalizeModel } from "./normalize-model.ts";
import type { WorkProfile } from "./state/work-profile.ts";
import type { Task } from "./task.ts";

/** What is known of how long work takes. */
export class Estimates {
  readonly #profiles = new Map<string, WorkProfile>();

  /** The profile of a task, interned. */
  profileOf(task: Task): WorkProfile {
    const model = normalizeModel(task.requirements.models[0] ?? "");
    const key = JSON.stringify([model, task.work.signature]);
    let profile = this.#profiles.get(key);
    if (profile === undefined) {
      profile = { model, signature: task.work.signature };
      this.#profiles.set(key, profile);
    }
    return profile;
  }

  /** What a task of this profile takes, in milliseconds. */
  runMs(profile: WorkProfile, units: number): number {
    return profile.signature === "standard" ? units / 1_000 : units * 30_000;
  }
}
