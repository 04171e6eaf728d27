// Original file: scaler.proto

import type { NodeInfo as _scaler_grpc_NodeInfo, NodeInfo__Output as _scaler_grpc_NodeInfo__Output } from '../scaler_grpc/NodeInfo.ts';

// Original file: scaler.proto

export const _scaler_grpc_NodeChange_Type = {
  TYPE_UNSPECIFIED: 'TYPE_UNSPECIFIED',
  TYPE_ADDED: 'TYPE_ADDED',
  TYPE_CHANGED: 'TYPE_CHANGED',
  TYPE_REMOVED: 'TYPE_REMOVED',
  TYPE_SYNCED: 'TYPE_SYNCED',
} as const;

export type _scaler_grpc_NodeChange_Type =
  | 'TYPE_UNSPECIFIED'
  | 0
  | 'TYPE_ADDED'
  | 1
  | 'TYPE_CHANGED'
  | 2
  | 'TYPE_REMOVED'
  | 3
  | 'TYPE_SYNCED'
  | 4

export type _scaler_grpc_NodeChange_Type__Output = typeof _scaler_grpc_NodeChange_Type[keyof typeof _scaler_grpc_NodeChange_Type]

export interface NodeChange {
  'type'?: (_scaler_grpc_NodeChange_Type);
  'node'?: (_scaler_grpc_NodeInfo | null);
}

export interface NodeChange__Output {
  'type': (_scaler_grpc_NodeChange_Type__Output);
  'node': (_scaler_grpc_NodeInfo__Output | null);
}
