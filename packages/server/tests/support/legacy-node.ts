import { Peer } from "../sessions/support/peer.ts";

/** A picture of one pixel. */
const PIXEL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** A legacy node of a test, on a real server. It hears tasks and answers those that it is told to. */
export class LegacyNode implements AsyncDisposable {
  readonly #peer: Peer;

  static async join(url: string, nodeId: string, models: readonly string[] = []): Promise<LegacyNode> {
    const peer = await Peer.connect(url.replace(/^http/, "ws"));
    peer.say({ type: "register", node_id: nodeId, metadata: { models, gpu_type: "Test GPU" } });
    await peer.settled();
    return new LegacyNode(peer);
  }

  private constructor(peer: Peer) {
    this.#peer = peer;
  }

  /** The id on the wire of the next task that it is given. */
  async nextTask(): Promise<string> {
    for (;;) {
      const frame = await this.#peer.next<{ readonly taskId?: string; readonly type?: string }>();
      if (frame.taskId !== undefined && frame.type === undefined) return frame.taskId;
    }
  }

  /** Task ids that it was given so far. */
  get given(): readonly string[] {
    return this.#peer.texts
      .map((text) => JSON.parse(text) as { readonly taskId?: string; readonly type?: string })
      .flatMap(({ taskId, type }) => (taskId === undefined || type !== undefined ? [] : [taskId]));
  }

  finish(taskId: string, resultsUrl: readonly string[] = [PIXEL]): void {
    this.#peer.say({ type: "result", status: "ready", taskId, resultsUrl });
  }

  /** Answers every task as it comes, until its connection is gone. */
  answerAll(): void {
    void (async () => {
      for (;;) this.finish(await this.nextTask());
    })();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#peer.terminate();
    await this.#peer.closed;
  }
}
