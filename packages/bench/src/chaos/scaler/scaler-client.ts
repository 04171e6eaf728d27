import {
  type CreateNodeRequest,
  type CreateNodeResponse__Output,
  createScalerClient,
  type ListNodesResponse__Output,
  type NodeInfo__Output,
  type ScalerClient,
} from "@genai/protocol/scaler";
import { ChannelCredentials, Metadata, type requestCallback, status } from "@grpc/grpc-js";

const ANSWER_MS = 60_000;
/** A scaler that is being started is waited for. */
const patient = new Metadata({ waitForReady: true });

/** The scaler's calls as promises. */
export class ScalerCalls implements Disposable {
  readonly #client: ScalerClient;

  constructor(address: string) {
    const quick = { "grpc.initial_reconnect_backoff_ms": 50, "grpc.max_reconnect_backoff_ms": 200 };
    this.#client = createScalerClient(address, ChannelCredentials.createInsecure(), quick);
  }

  async create(request: CreateNodeRequest): Promise<string> {
    const answer = await this.#call<CreateNodeResponse__Output>((done) =>
      this.#client.createNode(request, patient, { deadline: Date.now() + ANSWER_MS }, done),
    );
    return answer.nodeId;
  }

  async remove(nodeId: string): Promise<void> {
    await this.#call((done) =>
      this.#client.deleteNode({ nodeId }, patient, { deadline: Date.now() + ANSWER_MS }, done),
    );
  }

  async list(): Promise<readonly NodeInfo__Output[]> {
    const answer = await this.#call<ListNodesResponse__Output>((done) =>
      this.#client.listNodes({}, patient, { deadline: Date.now() + ANSWER_MS }, done),
    );
    return answer.nodes;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #call<A>(call: (done: requestCallback<A>) => unknown): Promise<A> {
    return new Promise((resolve, reject) => {
      call((error, answer) => {
        if (error) reject(error);
        else if (answer === undefined) reject(new Error("The scaler gave no answer."));
        else resolve(answer);
      });
    });
  }
}

/** Whether a call died with its scaler, so that nobody knows what came of it. */
export function wasCutOff(error: unknown): boolean {
  const { code } = error as { code?: status };
  return code === status.UNAVAILABLE || code === status.CANCELLED || code === status.INTERNAL;
}
