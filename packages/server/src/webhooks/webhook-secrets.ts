import { createHmac } from "node:crypto";
import { z } from "zod";
import type { TaskStore } from "../tasks/task-store.ts";

const Generations = z.object({ generation: z.int(), previousUntilMs: z.number() });

/** The secrets that webhooks are signed with, one of each user: with one for all, whoever may receive could also forge. They are
 *  derived from a secret of the server, so the database holds none. */
export class WebhookSecrets {
  readonly #root: string;
  readonly #store: Pick<TaskStore, "readDocument" | "writeDocument">;

  constructor(root: string, store: Pick<TaskStore, "readDocument" | "writeDocument">) {
    this.#root = root;
    this.#store = store;
  }

  /** Those that sign now, the newest first. */
  async live(userId: string, nowMs: number): Promise<readonly string[]> {
    const { generation, previousUntilMs } = await this.#generations(userId);
    const previous = generation > 0 && nowMs < previousUntilMs ? [this.#derive(userId, generation - 1)] : [];
    return [this.#derive(userId, generation), ...previous];
  }

  /** Makes a new one. The one before goes on signing beside it for `previousMs`; older ones end at once. */
  async rotate(userId: string, nowMs: number, previousMs: number): Promise<string> {
    const generation = (await this.#generations(userId)).generation + 1;
    const text = JSON.stringify({ generation, previousUntilMs: nowMs + previousMs });
    await this.#store.writeDocument(documentOf(userId), text);
    return this.#derive(userId, generation);
  }

  async #generations(userId: string): Promise<z.infer<typeof Generations>> {
    const text = await this.#store.readDocument(documentOf(userId));
    return text === null ? { generation: 0, previousUntilMs: 0 } : Generations.parse(JSON.parse(text));
  }

  #derive(userId: string, generation: number): string {
    const bytes = createHmac("sha256", this.#root).update(`webhook\n${generation}\n${userId}`).digest("base64");
    return `whsec_${bytes}`;
  }
}

function documentOf(userId: string): string {
  return `webhook-secret/${userId}`;
}
