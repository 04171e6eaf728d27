// Original file: scaler.proto

import type { NodeInfo as _scaler_grpc_NodeInfo, NodeInfo__Output as _scaler_grpc_NodeInfo__Output } from '../scaler_grpc/NodeInfo.ts';

export interface ListNodesResponse {
  'nodes'?: (_scaler_grpc_NodeInfo)[];
}

export interface ListNodesResponse__Output {
  'nodes': (_scaler_grpc_NodeInfo__Output)[];
}
