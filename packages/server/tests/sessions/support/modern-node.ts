import type { AckFrame, ServerFrame, TaskFrame } from "@genai/protocol";
import { Peer } from "./peer.ts";
import { described, png } from "./pictures.ts";
import { registerFrame } from "./setup.ts";

type FrameOf<Type extends ServerFrame["type"]> = Extract<ServerFrame, { type: Type }>;

/** A protocol-2 node of a test on a whole server: it does what its test tells it, and nothing by itself. */
export class ModernNode implements AsyncDisposable {
  readonly nodeId: string;
  readonly peer: Peer;

  private constructor(nodeId: string, peer: Peer) {
    this.nodeId = nodeId;
    this.peer = peer;
  }

  /** Registered when it resolves. */
  static async join(port: number, nodeId: string, register: object = {}): Promise<ModernNode> {
    const peer = await Peer.connect(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
    peer.say(registerFrame(nodeId, register));
    const node = new ModernNode(nodeId, peer);
    await node.next("registered");
    return node;
  }

  /** The next frame of a type; what comes before it is passed over. */
  async next<Type extends ServerFrame["type"]>(type: Type): Promise<FrameOf<Type>> {
    for (;;) {
      const frame = await this.peer.next<ServerFrame>();
      if (frame.type === type) return frame as FrameOf<Type>;
    }
  }

  /** Ends its connection without a word of its protocol; the server knows when it resolves. */
  async breakOff(): Promise<void> {
    this.peer.close();
    await this.peer.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.peer.terminate();
    await this.peer.closed;
  }

  /** Uploads a picture for an attempt that it was given. */
  async upload({ uploadUrl }: TaskFrame, picture: Buffer): Promise<number> {
    const answer = await fetch(uploadUrl.replace("{n}", "0"), { method: "PUT", body: new Uint8Array(picture) });
    await answer.arrayBuffer();
    return answer.status;
  }

  /** Says that an attempt made a picture; does not wait for the answer. */
  sayResult(attemptId: string, picture: Buffer): void {
    this.peer.say({ type: "result", attemptId, artifacts: [described(picture)] });
  }

  /** Uploads, says so, and waits for what the server thinks of it. */
  async finish(task: TaskFrame, picture: Buffer = png()): Promise<AckFrame> {
    await this.upload(task, picture);
    this.sayResult(task.attemptId, picture);
    for (;;) {
      const ack = await this.next("ack");
      if (ack.attemptId === task.attemptId) return ack;
    }
  }
}
