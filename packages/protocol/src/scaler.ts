/** The scaler's gRPC door: `protos/scaler.proto` as types, as a package definition and as a client. Everything generated comes from
 *  `protos/generate.js`. */
import { type ChannelCredentials, type ClientOptions, loadPackageDefinition } from "@grpc/grpc-js";
import { fromJSON, type PackageDefinition } from "@grpc/proto-loader";
import { descriptor } from "./generated/scaler/descriptor.ts";
import type { ProtoGrpcType } from "./generated/scaler/scaler.ts";
import type { ScalerClient } from "./generated/scaler/scaler_grpc/Scaler.ts";

export type { Timestamp__Output as ScalerTimestamp } from "./generated/scaler/google/protobuf/Timestamp.ts";
export type {
  CreateNodeProgress,
  CreateNodeProgress__Output,
} from "./generated/scaler/scaler_grpc/CreateNodeProgress.ts";
export type { CreateNodeRequest, CreateNodeRequest__Output } from "./generated/scaler/scaler_grpc/CreateNodeRequest.ts";
export type { CreateNodeResponse__Output } from "./generated/scaler/scaler_grpc/CreateNodeResponse.ts";
export type { ListNodesResponse__Output } from "./generated/scaler/scaler_grpc/ListNodesResponse.ts";
export type { LogChunk__Output } from "./generated/scaler/scaler_grpc/LogChunk.ts";
export type { NodeChange, NodeChange__Output } from "./generated/scaler/scaler_grpc/NodeChange.ts";
export type { NodeInfo, NodeInfo__Output } from "./generated/scaler/scaler_grpc/NodeInfo.ts";
export type {
  Offer as ScalerOffer,
  Offer__Output as ScalerOffer__Output,
} from "./generated/scaler/scaler_grpc/Offer.ts";
export type {
  OfferFilter as ScalerOfferFilter,
  OfferFilter__Output as ScalerOfferFilter__Output,
} from "./generated/scaler/scaler_grpc/OfferFilter.ts";
export type {
  PlanCreateResponse,
  PlanCreateResponse__Output,
} from "./generated/scaler/scaler_grpc/PlanCreateResponse.ts";
export type { ScalerClient, ScalerHandlers } from "./generated/scaler/scaler_grpc/Scaler.ts";

/** `scaler.proto` as gRPC reads it: 64-bit integers as strings, enums by name, every field present. */
export const scalerPackage: PackageDefinition = fromJSON(
  structuredClone(descriptor) as Parameters<typeof fromJSON>[0],
  {
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  },
);

const grpcTypes = loadPackageDefinition(scalerPackage) as unknown as ProtoGrpcType;

/** The service, as `Server.addService` takes it. */
export const scalerService = grpcTypes.scaler_grpc.Scaler.service;

/** A client of the scaler at `address` (`host:port`, or `unix:/path`). It connects with its first call and must be closed by its owner. */
export function createScalerClient(
  address: string,
  credentials: ChannelCredentials,
  options?: Partial<ClientOptions>,
): ScalerClient {
  return new grpcTypes.scaler_grpc.Scaler(address, credentials, options);
}
