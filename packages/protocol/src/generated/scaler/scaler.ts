import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { Empty as _google_protobuf_Empty, Empty__Output as _google_protobuf_Empty__Output } from './google/protobuf/Empty.ts';
import type { Timestamp as _google_protobuf_Timestamp, Timestamp__Output as _google_protobuf_Timestamp__Output } from './google/protobuf/Timestamp.ts';
import type { CreateNodeProgress as _scaler_grpc_CreateNodeProgress, CreateNodeProgress__Output as _scaler_grpc_CreateNodeProgress__Output } from './scaler_grpc/CreateNodeProgress.ts';
import type { CreateNodeRequest as _scaler_grpc_CreateNodeRequest, CreateNodeRequest__Output as _scaler_grpc_CreateNodeRequest__Output } from './scaler_grpc/CreateNodeRequest.ts';
import type { CreateNodeResponse as _scaler_grpc_CreateNodeResponse, CreateNodeResponse__Output as _scaler_grpc_CreateNodeResponse__Output } from './scaler_grpc/CreateNodeResponse.ts';
import type { DeleteNodeRequest as _scaler_grpc_DeleteNodeRequest, DeleteNodeRequest__Output as _scaler_grpc_DeleteNodeRequest__Output } from './scaler_grpc/DeleteNodeRequest.ts';
import type { DeleteNodeResponse as _scaler_grpc_DeleteNodeResponse, DeleteNodeResponse__Output as _scaler_grpc_DeleteNodeResponse__Output } from './scaler_grpc/DeleteNodeResponse.ts';
import type { GetNodeLogsRequest as _scaler_grpc_GetNodeLogsRequest, GetNodeLogsRequest__Output as _scaler_grpc_GetNodeLogsRequest__Output } from './scaler_grpc/GetNodeLogsRequest.ts';
import type { GetNodeRequest as _scaler_grpc_GetNodeRequest, GetNodeRequest__Output as _scaler_grpc_GetNodeRequest__Output } from './scaler_grpc/GetNodeRequest.ts';
import type { ListNodesResponse as _scaler_grpc_ListNodesResponse, ListNodesResponse__Output as _scaler_grpc_ListNodesResponse__Output } from './scaler_grpc/ListNodesResponse.ts';
import type { ListOffersRequest as _scaler_grpc_ListOffersRequest, ListOffersRequest__Output as _scaler_grpc_ListOffersRequest__Output } from './scaler_grpc/ListOffersRequest.ts';
import type { ListOffersResponse as _scaler_grpc_ListOffersResponse, ListOffersResponse__Output as _scaler_grpc_ListOffersResponse__Output } from './scaler_grpc/ListOffersResponse.ts';
import type { LogChunk as _scaler_grpc_LogChunk, LogChunk__Output as _scaler_grpc_LogChunk__Output } from './scaler_grpc/LogChunk.ts';
import type { NodeChange as _scaler_grpc_NodeChange, NodeChange__Output as _scaler_grpc_NodeChange__Output } from './scaler_grpc/NodeChange.ts';
import type { NodeInfo as _scaler_grpc_NodeInfo, NodeInfo__Output as _scaler_grpc_NodeInfo__Output } from './scaler_grpc/NodeInfo.ts';
import type { Offer as _scaler_grpc_Offer, Offer__Output as _scaler_grpc_Offer__Output } from './scaler_grpc/Offer.ts';
import type { OfferFilter as _scaler_grpc_OfferFilter, OfferFilter__Output as _scaler_grpc_OfferFilter__Output } from './scaler_grpc/OfferFilter.ts';
import type { PlanCreateResponse as _scaler_grpc_PlanCreateResponse, PlanCreateResponse__Output as _scaler_grpc_PlanCreateResponse__Output } from './scaler_grpc/PlanCreateResponse.ts';
import type { Resources as _scaler_grpc_Resources, Resources__Output as _scaler_grpc_Resources__Output } from './scaler_grpc/Resources.ts';
import type { ScalerClient as _scaler_grpc_ScalerClient, ScalerDefinition as _scaler_grpc_ScalerDefinition } from './scaler_grpc/Scaler.ts';
import type { WatchNodesRequest as _scaler_grpc_WatchNodesRequest, WatchNodesRequest__Output as _scaler_grpc_WatchNodesRequest__Output } from './scaler_grpc/WatchNodesRequest.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  google: {
    protobuf: {
      Empty: MessageTypeDefinition<_google_protobuf_Empty, _google_protobuf_Empty__Output>
      Timestamp: MessageTypeDefinition<_google_protobuf_Timestamp, _google_protobuf_Timestamp__Output>
    }
  }
  scaler_grpc: {
    CreateNodeProgress: MessageTypeDefinition<_scaler_grpc_CreateNodeProgress, _scaler_grpc_CreateNodeProgress__Output>
    CreateNodeRequest: MessageTypeDefinition<_scaler_grpc_CreateNodeRequest, _scaler_grpc_CreateNodeRequest__Output>
    CreateNodeResponse: MessageTypeDefinition<_scaler_grpc_CreateNodeResponse, _scaler_grpc_CreateNodeResponse__Output>
    DeleteNodeRequest: MessageTypeDefinition<_scaler_grpc_DeleteNodeRequest, _scaler_grpc_DeleteNodeRequest__Output>
    DeleteNodeResponse: MessageTypeDefinition<_scaler_grpc_DeleteNodeResponse, _scaler_grpc_DeleteNodeResponse__Output>
    GetNodeLogsRequest: MessageTypeDefinition<_scaler_grpc_GetNodeLogsRequest, _scaler_grpc_GetNodeLogsRequest__Output>
    GetNodeRequest: MessageTypeDefinition<_scaler_grpc_GetNodeRequest, _scaler_grpc_GetNodeRequest__Output>
    ListNodesResponse: MessageTypeDefinition<_scaler_grpc_ListNodesResponse, _scaler_grpc_ListNodesResponse__Output>
    ListOffersRequest: MessageTypeDefinition<_scaler_grpc_ListOffersRequest, _scaler_grpc_ListOffersRequest__Output>
    ListOffersResponse: MessageTypeDefinition<_scaler_grpc_ListOffersResponse, _scaler_grpc_ListOffersResponse__Output>
    LogChunk: MessageTypeDefinition<_scaler_grpc_LogChunk, _scaler_grpc_LogChunk__Output>
    NodeChange: MessageTypeDefinition<_scaler_grpc_NodeChange, _scaler_grpc_NodeChange__Output>
    NodeInfo: MessageTypeDefinition<_scaler_grpc_NodeInfo, _scaler_grpc_NodeInfo__Output>
    NodeState: EnumTypeDefinition
    Offer: MessageTypeDefinition<_scaler_grpc_Offer, _scaler_grpc_Offer__Output>
    OfferFilter: MessageTypeDefinition<_scaler_grpc_OfferFilter, _scaler_grpc_OfferFilter__Output>
    PlanCreateResponse: MessageTypeDefinition<_scaler_grpc_PlanCreateResponse, _scaler_grpc_PlanCreateResponse__Output>
    Resources: MessageTypeDefinition<_scaler_grpc_Resources, _scaler_grpc_Resources__Output>
    Scaler: SubtypeConstructor<typeof grpc.Client, _scaler_grpc_ScalerClient> & { service: _scaler_grpc_ScalerDefinition }
    WatchNodesRequest: MessageTypeDefinition<_scaler_grpc_WatchNodesRequest, _scaler_grpc_WatchNodesRequest__Output>
  }
}

