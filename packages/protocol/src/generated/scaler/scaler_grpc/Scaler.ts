// Original file: scaler.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CreateNodeProgress as _scaler_grpc_CreateNodeProgress, CreateNodeProgress__Output as _scaler_grpc_CreateNodeProgress__Output } from '../scaler_grpc/CreateNodeProgress.ts';
import type { CreateNodeRequest as _scaler_grpc_CreateNodeRequest, CreateNodeRequest__Output as _scaler_grpc_CreateNodeRequest__Output } from '../scaler_grpc/CreateNodeRequest.ts';
import type { CreateNodeResponse as _scaler_grpc_CreateNodeResponse, CreateNodeResponse__Output as _scaler_grpc_CreateNodeResponse__Output } from '../scaler_grpc/CreateNodeResponse.ts';
import type { DeleteNodeRequest as _scaler_grpc_DeleteNodeRequest, DeleteNodeRequest__Output as _scaler_grpc_DeleteNodeRequest__Output } from '../scaler_grpc/DeleteNodeRequest.ts';
import type { DeleteNodeResponse as _scaler_grpc_DeleteNodeResponse, DeleteNodeResponse__Output as _scaler_grpc_DeleteNodeResponse__Output } from '../scaler_grpc/DeleteNodeResponse.ts';
import type { Empty as _google_protobuf_Empty, Empty__Output as _google_protobuf_Empty__Output } from '../google/protobuf/Empty.ts';
import type { GetNodeLogsRequest as _scaler_grpc_GetNodeLogsRequest, GetNodeLogsRequest__Output as _scaler_grpc_GetNodeLogsRequest__Output } from '../scaler_grpc/GetNodeLogsRequest.ts';
import type { GetNodeRequest as _scaler_grpc_GetNodeRequest, GetNodeRequest__Output as _scaler_grpc_GetNodeRequest__Output } from '../scaler_grpc/GetNodeRequest.ts';
import type { ListNodesResponse as _scaler_grpc_ListNodesResponse, ListNodesResponse__Output as _scaler_grpc_ListNodesResponse__Output } from '../scaler_grpc/ListNodesResponse.ts';
import type { ListOffersRequest as _scaler_grpc_ListOffersRequest, ListOffersRequest__Output as _scaler_grpc_ListOffersRequest__Output } from '../scaler_grpc/ListOffersRequest.ts';
import type { ListOffersResponse as _scaler_grpc_ListOffersResponse, ListOffersResponse__Output as _scaler_grpc_ListOffersResponse__Output } from '../scaler_grpc/ListOffersResponse.ts';
import type { LogChunk as _scaler_grpc_LogChunk, LogChunk__Output as _scaler_grpc_LogChunk__Output } from '../scaler_grpc/LogChunk.ts';
import type { NodeChange as _scaler_grpc_NodeChange, NodeChange__Output as _scaler_grpc_NodeChange__Output } from '../scaler_grpc/NodeChange.ts';
import type { NodeInfo as _scaler_grpc_NodeInfo, NodeInfo__Output as _scaler_grpc_NodeInfo__Output } from '../scaler_grpc/NodeInfo.ts';
import type { PlanCreateResponse as _scaler_grpc_PlanCreateResponse, PlanCreateResponse__Output as _scaler_grpc_PlanCreateResponse__Output } from '../scaler_grpc/PlanCreateResponse.ts';
import type { WatchNodesRequest as _scaler_grpc_WatchNodesRequest, WatchNodesRequest__Output as _scaler_grpc_WatchNodesRequest__Output } from '../scaler_grpc/WatchNodesRequest.ts';

export interface ScalerClient extends grpc.Client {
  CreateNode(argument: _scaler_grpc_CreateNodeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_CreateNodeResponse__Output>): grpc.ClientUnaryCall;
  CreateNode(argument: _scaler_grpc_CreateNodeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_scaler_grpc_CreateNodeResponse__Output>): grpc.ClientUnaryCall;
  CreateNode(argument: _scaler_grpc_CreateNodeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_CreateNodeResponse__Output>): grpc.ClientUnaryCall;
  CreateNode(argument: _scaler_grpc_CreateNodeRequest, callback: grpc.requestCallback<_scaler_grpc_CreateNodeResponse__Output>): grpc.ClientUnaryCall;
  createNode(argument: _scaler_grpc_CreateNodeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_CreateNodeResponse__Output>): grpc.ClientUnaryCall;
  createNode(argument: _scaler_grpc_CreateNodeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_scaler_grpc_CreateNodeResponse__Output>): grpc.ClientUnaryCall;
  createNode(argument: _scaler_grpc_CreateNodeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_CreateNodeResponse__Output>): grpc.ClientUnaryCall;
  createNode(argument: _scaler_grpc_CreateNodeRequest, callback: grpc.requestCallback<_scaler_grpc_CreateNodeResponse__Output>): grpc.ClientUnaryCall;
  
  CreateNodeStream(argument: _scaler_grpc_CreateNodeRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_scaler_grpc_CreateNodeProgress__Output>;
  CreateNodeStream(argument: _scaler_grpc_CreateNodeRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_scaler_grpc_CreateNodeProgress__Output>;
  createNodeStream(argument: _scaler_grpc_CreateNodeRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_scaler_grpc_CreateNodeProgress__Output>;
  createNodeStream(argument: _scaler_grpc_CreateNodeRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_scaler_grpc_CreateNodeProgress__Output>;
  
  DeleteNode(argument: _scaler_grpc_DeleteNodeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_DeleteNodeResponse__Output>): grpc.ClientUnaryCall;
  DeleteNode(argument: _scaler_grpc_DeleteNodeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_scaler_grpc_DeleteNodeResponse__Output>): grpc.ClientUnaryCall;
  DeleteNode(argument: _scaler_grpc_DeleteNodeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_DeleteNodeResponse__Output>): grpc.ClientUnaryCall;
  DeleteNode(argument: _scaler_grpc_DeleteNodeRequest, callback: grpc.requestCallback<_scaler_grpc_DeleteNodeResponse__Output>): grpc.ClientUnaryCall;
  deleteNode(argument: _scaler_grpc_DeleteNodeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_DeleteNodeResponse__Output>): grpc.ClientUnaryCall;
  deleteNode(argument: _scaler_grpc_DeleteNodeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_scaler_grpc_DeleteNodeResponse__Output>): grpc.ClientUnaryCall;
  deleteNode(argument: _scaler_grpc_DeleteNodeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_DeleteNodeResponse__Output>): grpc.ClientUnaryCall;
  deleteNode(argument: _scaler_grpc_DeleteNodeRequest, callback: grpc.requestCallback<_scaler_grpc_DeleteNodeResponse__Output>): grpc.ClientUnaryCall;
  
  GetNode(argument: _scaler_grpc_GetNodeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_NodeInfo__Output>): grpc.ClientUnaryCall;
  GetNode(argument: _scaler_grpc_GetNodeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_scaler_grpc_NodeInfo__Output>): grpc.ClientUnaryCall;
  GetNode(argument: _scaler_grpc_GetNodeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_NodeInfo__Output>): grpc.ClientUnaryCall;
  GetNode(argument: _scaler_grpc_GetNodeRequest, callback: grpc.requestCallback<_scaler_grpc_NodeInfo__Output>): grpc.ClientUnaryCall;
  getNode(argument: _scaler_grpc_GetNodeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_NodeInfo__Output>): grpc.ClientUnaryCall;
  getNode(argument: _scaler_grpc_GetNodeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_scaler_grpc_NodeInfo__Output>): grpc.ClientUnaryCall;
  getNode(argument: _scaler_grpc_GetNodeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_NodeInfo__Output>): grpc.ClientUnaryCall;
  getNode(argument: _scaler_grpc_GetNodeRequest, callback: grpc.requestCallback<_scaler_grpc_NodeInfo__Output>): grpc.ClientUnaryCall;
  
  GetNodeLogs(argument: _scaler_grpc_GetNodeLogsRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_scaler_grpc_LogChunk__Output>;
  GetNodeLogs(argument: _scaler_grpc_GetNodeLogsRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_scaler_grpc_LogChunk__Output>;
  getNodeLogs(argument: _scaler_grpc_GetNodeLogsRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_scaler_grpc_LogChunk__Output>;
  getNodeLogs(argument: _scaler_grpc_GetNodeLogsRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_scaler_grpc_LogChunk__Output>;
  
  ListNodes(argument: _google_protobuf_Empty, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_ListNodesResponse__Output>): grpc.ClientUnaryCall;
  ListNodes(argument: _google_protobuf_Empty, metadata: grpc.Metadata, callback: grpc.requestCallback<_scaler_grpc_ListNodesResponse__Output>): grpc.ClientUnaryCall;
  ListNodes(argument: _google_protobuf_Empty, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_ListNodesResponse__Output>): grpc.ClientUnaryCall;
  ListNodes(argument: _google_protobuf_Empty, callback: grpc.requestCallback<_scaler_grpc_ListNodesResponse__Output>): grpc.ClientUnaryCall;
  listNodes(argument: _google_protobuf_Empty, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_ListNodesResponse__Output>): grpc.ClientUnaryCall;
  listNodes(argument: _google_protobuf_Empty, metadata: grpc.Metadata, callback: grpc.requestCallback<_scaler_grpc_ListNodesResponse__Output>): grpc.ClientUnaryCall;
  listNodes(argument: _google_protobuf_Empty, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_ListNodesResponse__Output>): grpc.ClientUnaryCall;
  listNodes(argument: _google_protobuf_Empty, callback: grpc.requestCallback<_scaler_grpc_ListNodesResponse__Output>): grpc.ClientUnaryCall;
  
  ListOffers(argument: _scaler_grpc_ListOffersRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_ListOffersResponse__Output>): grpc.ClientUnaryCall;
  ListOffers(argument: _scaler_grpc_ListOffersRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_scaler_grpc_ListOffersResponse__Output>): grpc.ClientUnaryCall;
  ListOffers(argument: _scaler_grpc_ListOffersRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_ListOffersResponse__Output>): grpc.ClientUnaryCall;
  ListOffers(argument: _scaler_grpc_ListOffersRequest, callback: grpc.requestCallback<_scaler_grpc_ListOffersResponse__Output>): grpc.ClientUnaryCall;
  listOffers(argument: _scaler_grpc_ListOffersRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_ListOffersResponse__Output>): grpc.ClientUnaryCall;
  listOffers(argument: _scaler_grpc_ListOffersRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_scaler_grpc_ListOffersResponse__Output>): grpc.ClientUnaryCall;
  listOffers(argument: _scaler_grpc_ListOffersRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_ListOffersResponse__Output>): grpc.ClientUnaryCall;
  listOffers(argument: _scaler_grpc_ListOffersRequest, callback: grpc.requestCallback<_scaler_grpc_ListOffersResponse__Output>): grpc.ClientUnaryCall;
  
  PlanCreate(argument: _scaler_grpc_CreateNodeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_PlanCreateResponse__Output>): grpc.ClientUnaryCall;
  PlanCreate(argument: _scaler_grpc_CreateNodeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_scaler_grpc_PlanCreateResponse__Output>): grpc.ClientUnaryCall;
  PlanCreate(argument: _scaler_grpc_CreateNodeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_PlanCreateResponse__Output>): grpc.ClientUnaryCall;
  PlanCreate(argument: _scaler_grpc_CreateNodeRequest, callback: grpc.requestCallback<_scaler_grpc_PlanCreateResponse__Output>): grpc.ClientUnaryCall;
  planCreate(argument: _scaler_grpc_CreateNodeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_PlanCreateResponse__Output>): grpc.ClientUnaryCall;
  planCreate(argument: _scaler_grpc_CreateNodeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_scaler_grpc_PlanCreateResponse__Output>): grpc.ClientUnaryCall;
  planCreate(argument: _scaler_grpc_CreateNodeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_scaler_grpc_PlanCreateResponse__Output>): grpc.ClientUnaryCall;
  planCreate(argument: _scaler_grpc_CreateNodeRequest, callback: grpc.requestCallback<_scaler_grpc_PlanCreateResponse__Output>): grpc.ClientUnaryCall;
  
  WatchNodes(argument: _scaler_grpc_WatchNodesRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_scaler_grpc_NodeChange__Output>;
  WatchNodes(argument: _scaler_grpc_WatchNodesRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_scaler_grpc_NodeChange__Output>;
  watchNodes(argument: _scaler_grpc_WatchNodesRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_scaler_grpc_NodeChange__Output>;
  watchNodes(argument: _scaler_grpc_WatchNodesRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_scaler_grpc_NodeChange__Output>;
  
}

export interface ScalerHandlers extends grpc.UntypedServiceImplementation {
  CreateNode: grpc.handleUnaryCall<_scaler_grpc_CreateNodeRequest__Output, _scaler_grpc_CreateNodeResponse>;
  
  CreateNodeStream: grpc.handleServerStreamingCall<_scaler_grpc_CreateNodeRequest__Output, _scaler_grpc_CreateNodeProgress>;
  
  DeleteNode: grpc.handleUnaryCall<_scaler_grpc_DeleteNodeRequest__Output, _scaler_grpc_DeleteNodeResponse>;
  
  GetNode: grpc.handleUnaryCall<_scaler_grpc_GetNodeRequest__Output, _scaler_grpc_NodeInfo>;
  
  GetNodeLogs: grpc.handleServerStreamingCall<_scaler_grpc_GetNodeLogsRequest__Output, _scaler_grpc_LogChunk>;
  
  ListNodes: grpc.handleUnaryCall<_google_protobuf_Empty__Output, _scaler_grpc_ListNodesResponse>;
  
  ListOffers: grpc.handleUnaryCall<_scaler_grpc_ListOffersRequest__Output, _scaler_grpc_ListOffersResponse>;
  
  PlanCreate: grpc.handleUnaryCall<_scaler_grpc_CreateNodeRequest__Output, _scaler_grpc_PlanCreateResponse>;
  
  WatchNodes: grpc.handleServerStreamingCall<_scaler_grpc_WatchNodesRequest__Output, _scaler_grpc_NodeChange>;
  
}

export interface ScalerDefinition extends grpc.ServiceDefinition {
  CreateNode: MethodDefinition<_scaler_grpc_CreateNodeRequest, _scaler_grpc_CreateNodeResponse, _scaler_grpc_CreateNodeRequest__Output, _scaler_grpc_CreateNodeResponse__Output>
  CreateNodeStream: MethodDefinition<_scaler_grpc_CreateNodeRequest, _scaler_grpc_CreateNodeProgress, _scaler_grpc_CreateNodeRequest__Output, _scaler_grpc_CreateNodeProgress__Output>
  DeleteNode: MethodDefinition<_scaler_grpc_DeleteNodeRequest, _scaler_grpc_DeleteNodeResponse, _scaler_grpc_DeleteNodeRequest__Output, _scaler_grpc_DeleteNodeResponse__Output>
  GetNode: MethodDefinition<_scaler_grpc_GetNodeRequest, _scaler_grpc_NodeInfo, _scaler_grpc_GetNodeRequest__Output, _scaler_grpc_NodeInfo__Output>
  GetNodeLogs: MethodDefinition<_scaler_grpc_GetNodeLogsRequest, _scaler_grpc_LogChunk, _scaler_grpc_GetNodeLogsRequest__Output, _scaler_grpc_LogChunk__Output>
  ListNodes: MethodDefinition<_google_protobuf_Empty, _scaler_grpc_ListNodesResponse, _google_protobuf_Empty__Output, _scaler_grpc_ListNodesResponse__Output>
  ListOffers: MethodDefinition<_scaler_grpc_ListOffersRequest, _scaler_grpc_ListOffersResponse, _scaler_grpc_ListOffersRequest__Output, _scaler_grpc_ListOffersResponse__Output>
  PlanCreate: MethodDefinition<_scaler_grpc_CreateNodeRequest, _scaler_grpc_PlanCreateResponse, _scaler_grpc_CreateNodeRequest__Output, _scaler_grpc_PlanCreateResponse__Output>
  WatchNodes: MethodDefinition<_scaler_grpc_WatchNodesRequest, _scaler_grpc_NodeChange, _scaler_grpc_WatchNodesRequest__Output, _scaler_grpc_NodeChange__Output>
}
