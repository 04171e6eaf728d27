import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChannelCredentials, Client } from "@grpc/grpc-js";
import { loadSync, type ServiceDefinition } from "@grpc/proto-loader";

/** The proto of the old system as its programs were built from it. */
const oldProto = `syntax = "proto3";
package scaler_grpc;
import "google/protobuf/empty.proto";
service Scaler {
  rpc CreateNode(CreateNodeRequest) returns (CreateNodeResponse);
  rpc DeleteNode(DeleteNodeRequest) returns (DeleteNodeResponse);
  rpc ListNodes(google.protobuf.Empty) returns (ListNodesResponse);
}
message CreateNodeRequest {
  string platform = 1; string backend = 2; string image = 3; string prov_script = 4; optional int32 vastai_iid = 5;
}
message CreateNodeResponse { string node_id = 1; }
message DeleteNodeRequest { string node_id = 1; }
message DeleteNodeResponse {}
message NodeInfo { string node_id = 1; string platform = 2; string backend = 3; string image = 4; }
message ListNodesResponse { repeated NodeInfo nodes = 1; }
`;

export interface OldNodeInfo {
  readonly node_id: string;
  readonly platform: string;
  readonly backend: string;
  readonly image: string;
}

/** A client of the old system: it knows the old proto and nothing else. */
export class OldScalerClient implements Disposable {
  readonly #client: Client;
  readonly #service: ServiceDefinition;

  constructor(address: string) {
    const folder = mkdtempSync(join(tmpdir(), "old-proto-"));
    try {
      writeFileSync(join(folder, "scaler.proto"), oldProto);
      const loaded = loadSync(join(folder, "scaler.proto"), { keepCase: true, arrays: true });
      this.#service = loaded["scaler_grpc.Scaler"] as ServiceDefinition;
    } finally {
      rmSync(folder, { recursive: true });
    }
    this.#client = new Client(address, ChannelCredentials.createInsecure());
  }

  async createNode(request: Partial<Omit<OldNodeInfo, "node_id">> & { prov_script?: string }): Promise<string> {
    return (await this.#call<{ node_id: string }>("CreateNode", request)).node_id;
  }

  async deleteNode(request: { readonly node_id: string }): Promise<void> {
    await this.#call("DeleteNode", request);
  }

  async listNodes(): Promise<readonly OldNodeInfo[]> {
    return (await this.#call<{ nodes: OldNodeInfo[] }>("ListNodes", {})).nodes;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #call<A>(name: string, request: object): Promise<A> {
    const method = this.#service[name];
    if (!method) throw new Error(`The old proto has no ${name}.`);
    const { path, requestSerialize, responseDeserialize } = method;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, answer) => {
        if (error) reject(error);
        else if (answer === undefined) reject(new Error(`${name} gave no answer.`));
        else resolve(answer as A);
      });
    });
  }
}
